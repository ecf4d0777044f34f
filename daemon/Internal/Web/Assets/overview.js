// SPDX-License-Identifier: LGPL-2.1-or-later
// The overview: all cameras, all readers, the last hour, events.
import { $, h, setText, setAttribute, count, whole, bytes, latency, span, stateText, announce, post, Feed, Pictures, Plot, Log, addRows, readerTable, isOther, prepareBar, showPermissions } from '/assets/common.js';

const cameras = new Map();
const tiles = new Map();
const byStream = new Map();
const inView = new Set();
const rows = [];
let order = [];
let process = 0;
let isFirst = true;
let awaited = null;

const pictures = new Pictures(
  (stream, url) => {
    const tile = byStream.get(stream);
    if (tile) {
      tile.picture.src = url;
      tile.placeholder.hidden = true;
    }
  },
  (stream, text) => {
    const tile = byStream.get(stream);
    if (tile) {
      setText(tile.placeholder, text);
      tile.placeholder.hidden = false;
    }
  });
prepareBar(pictures);
const log = new Log(false);
const readers = readerTable($('reader-table'));

// Tiles.

const observer = new IntersectionObserver(entries => {
  for (const entry of entries) {
    (entry.isIntersecting ? inView.add(entry.target) : inView.delete(entry.target));
  }
  wantPictures();
}, { rootMargin: '80px' });

function wantPictures() {
  pictures.want([...inView].map(element => cameras.get(element.dataset.key)?.tile).filter(Boolean));
}

class Tile {
  constructor(key) {
    const address = `/cameras/${encodeURIComponent(key)}`;
    this.picture = h('img', { alt: '', width: 320, height: 180, class: 'fresh' });
    this.picture.addEventListener('load', () => this.element.classList.add('has-picture'));
    this.placeholder = h('p', { class: 'placeholder', text: 'No picture yet' });
    this.state = h('span', { class: 'state' });
    this.reason = h('p', { class: 'reason' });
    this.link = h('a', { href: address, text: key });
    this.ring = h('meter', { min: 0, 'aria-label': `Slots of ${key} that readers hold` });
    this.figures = {};
    const list = h('dl', { class: 'figures' });
    for (const [name, label] of [['rate', 'Rate'], ['latency', 'Latency p50 / p95 / p99'], ['ring', 'Ring'], ['readers', 'Readers'], ['dropped', 'Dropped']]) {
      this.figures[name] = h('dd', {});
      list.append(h('div', { class: name }, h('dt', { text: label }), this.figures[name]));
    }
    this.ringText = h('span', {});
    this.figures.ring.append(this.ring, this.ringText);
    this.element = h('li', { class: 'tile', data: { key } },
      h('div', { class: 'picture' }, this.picture, this.placeholder),
      h('div', { class: 'body' }, h('div', { class: 'name' }, h('h3', {}, this.link), this.state), this.reason, list));
  }

  update(camera) {
    const own = camera.streams[0];
    setAttribute(this.state, 'data-state', camera.state);
    setText(this.state, stateText(camera.state));
    setAttribute(this.element, 'data-state', camera.state);
    this.element.classList.toggle('without-streams', camera.runs === false);
    const isWell = camera.state === 'live';
    this.reason.hidden = isWell || !camera.reason;
    setText(this.reason, camera.reason);
    setAttribute(this.picture, 'alt', isWell ? `Picture of ${camera.key}` : `Last picture of ${camera.key}`);
    setText(this.figures.rate, own ? `${own.fps.toFixed(1)} fps` : '-');
    setText(this.figures.latency, camera.latency ? camera.latency.map(latency).join(' / ') : '-');
    this.ring.hidden = !own?.slots;
    this.ring.max = own?.slots || 1;
    this.ring.value = own?.held ?? 0;
    this.ring.high = (own?.slots || 1) * 0.75;
    setText(this.ringText, own?.slots ? `${own.held} of ${own.slots} held` : '-');
    setText(this.figures.readers, count(camera.readers.filter(reader => isOther(reader, process)).length));
    setText(this.figures.dropped, own ? count(own.dropped) : '-');
  }
}

function matches(camera) {
  const text = $('find').value.trim().toLowerCase();
  return text.length === 0 || `${camera.key} ${stateText(camera.state)} ${camera.reason}`.toLowerCase().includes(text);
}

function showTiles() {
  const list = $('tiles');
  for (const [key, tile] of tiles) {
    if (!cameras.has(key)) {
      observer.unobserve(tile.element);
      inView.delete(tile.element);
      tile.element.remove();
      tiles.delete(key);
    }
  }
  byStream.clear();
  let next = list.firstElementChild;
  for (const key of order) {
    const camera = cameras.get(key);
    if (!camera) {
      continue;
    }
    let tile = tiles.get(key);
    if (!tile) {
      tile = new Tile(key);
      tiles.set(key, tile);
    }
    if (camera.tile) {
      byStream.set(camera.tile, tile);
    }
    if (tile.element === next) {
      next = next.nextElementSibling;
    } else {
      list.insertBefore(tile.element, next);
      observer.observe(tile.element);
    }
    tile.update(camera);
    tile.element.hidden = !matches(camera);
  }
  $('no-cameras').hidden = order.length > 0;
  wantPictures();
  if (awaited && tiles.has(awaited)) {
    tiles.get(awaited).link.focus();
    awaited = null;
  }
}

$('find').addEventListener('input', showTiles);
$('find-reader').addEventListener('input', showReaders);

function showReaders() {
  const text = $('find-reader').value.trim().toLowerCase();
  const list = [];
  for (const key of order) {
    for (const reader of cameras.get(key)?.readers ?? []) {
      if (isOther(reader, process) && `${reader.stream} ${reader.program} ${reader.user} ${reader.pid}`.toLowerCase().includes(text)) {
        list.push([`${reader.stream} ${reader.packets} ${reader.id}`, reader]);
      }
    }
  }
  readers.update(list);
  return list.length;
}

// The summary.

const summary = new Map();

function showFigure(name, value, detail = '') {
  let figure = summary.get(name);
  if (!figure) {
    figure = { value: h('span', { class: 'big' }), detail: h('span', { class: 'muted' }) };
    figure.element = h('div', {}, h('dt', { text: name }), h('dd', {}, figure.value, ' ', figure.detail));
    $('summary').append(figure.element);
    summary.set(name, figure);
  }
  setText(figure.value, value);
  setText(figure.detail, detail);
}

function showSummary(snapshot) {
  const all = [...cameras.values()];
  const live = all.filter(camera => camera.state === 'live').length;
  const streams = all.flatMap(camera => camera.streams);
  const others = all.flatMap(camera => camera.readers).filter(reader => isOther(reader, process));
  const disabled = all.filter(camera => camera.state === 'disabled').length;
  const wanted = all.length - disabled;
  showFigure('Cameras live', count(live), `of ${count(wanted)}${disabled ? `, ${count(disabled)} disabled` : ''}`);
  showFigure('Frames', count(all.reduce((sum, camera) => sum + (camera.streams[0]?.fps ?? 0), 0)), 'per second');
  showFigure('Readers', count(others.length), `of ${count(streams.length)} streams`);
  showFigure('Dropped', count(streams.reduce((sum, stream) => sum + stream.dropped, 0)), `${streams.reduce((sum, stream) => sum + stream.dropsPerSecond, 0).toFixed(1)} per second`);
  showFigure('CPU', `${(snapshot.process.cpu * 100).toFixed(0)} %`, 'of a core');
  showFigure('Memory', bytes(snapshot.process.memory), `${count(snapshot.process.descriptors)} descriptors`);
  const gpu = snapshot.gpu;
  if (gpu) {
    showFigure('GPU memory', gpu.memoryUsed === undefined ? 'unknown' : bytes(gpu.memoryUsed), gpu.memoryTotal === undefined ? gpu.name : `of ${bytes(gpu.memoryTotal)}, ${gpu.name}`);
    showFigure('Decoders', count(gpu.decoders), gpu.decoderUse === undefined ? gpu.obstacle : `NVDEC ${(gpu.decoderUse * 100).toFixed(0)} % busy`);
  }
  setText($('status'), `${live} of ${wanted} cameras live${disabled ? `, ${disabled} disabled` : ''}. The daemon runs for ${span(snapshot.process.uptime)}.`);
}

// What comes.

const plots = [
  new Plot($('plots'), 'Frames per second', 1, value => value.toFixed(value < 10 ? 1 : 0), 1),
  new Plot($('plots'), 'Latency, p99 of the slowest camera', 2, value => `${value.toFixed(value < 10 ? 1 : 0)} ms`, 1),
  new Plot($('plots'), 'Dropped frames in ten seconds', 3, whole, 2),
  new Plot($('plots'), 'Readers, the dashboard included', 4, whole, 4),
  new Plot($('plots'), 'CPU of the daemon', 6, value => `${value.toFixed(value < 10 ? 1 : 0)} %`, 1),
  new Plot($('plots'), 'Memory of the daemon', 7, bytes, 1 << 20),
];
let gpuPlots = null;

new Feed('/events/stream', {
  connection: isThere => isThere && pictures.restart(),
  hello: hello => {
    process = hello.process;
    cameras.clear();
    order = [];
    rows.length = 0;
    isFirst = true;
    log.clear();
    showPermissions(hello);
  },
  snapshot: snapshot => {
    for (const camera of snapshot.cameras) {
      const before = cameras.get(camera.key);
      cameras.set(camera.key, camera);
      if (!isFirst && before?.state !== camera.state) {
        announce(camera.key, `${camera.key}: ${stateText(camera.state)}.`);
      }
    }
    if (snapshot.order) {
      order = snapshot.order;
      for (const key of [...cameras.keys()].filter(key => !order.includes(key))) {
        cameras.delete(key);
        announce(key, `${key} was removed.`);
      }
    }
    isFirst = false;
    showTiles();
    showReaders();
    showSummary(snapshot);
    if (snapshot.gpu && !gpuPlots) {
      gpuPlots = [
        new Plot($('plots'), 'GPU memory', 8, bytes, 1 << 30),
        new Plot($('plots'), 'NVDEC busy', 9, value => `${value.toFixed(0)} %`, 10, 100),
      ];
      gpuPlots.forEach(plot => plot.update(rows));
    }
  },
  history: history => showRows(history),
  sample: history => showRows(history),
  log: event => log.add(event, process),
});

function showRows(history) {
  addRows(rows, history.rows);
  [...plots, ...(gpuPlots ?? [])].forEach(plot => plot.update(rows));
}

// Adding a camera.

const dialog = $('add-dialog');
$('add').addEventListener('click', () => {
  $('add-form').reset();
  $('add-problem').textContent = '';
  dialog.showModal();
});
$('add-cancel').addEventListener('click', () => dialog.close());
$('add-form').addEventListener('submit', async event => {
  event.preventDefault();
  $('add-problem').textContent = '';
  const key = $('add-key').value.trim();

  // A text of JSON is one of YAML.
  const settings = `source: ${JSON.stringify($('add-source').value.trim())}\n${$('add-settings').value}`;
  try {
    const answer = await post('/api/cameras/add', { key, settings });
    announce(key, answer.done);
    awaited = key;
    dialog.close();
    showTiles();
  } catch (error) {
    $('add-problem').textContent = error.message;
  }
});
