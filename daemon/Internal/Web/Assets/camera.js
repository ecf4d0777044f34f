// SPDX-License-Identifier: LGPL-2.1-or-later
// The page of one camera.
import { $, h, setText, setAttribute, count, whole, bytes, latency, span, time, stateText, announce, Feed, Pictures, Plot, Log, Table, addRows, readerTable, isOther, prepareBar, showPermissions, confirmed, act } from '/assets/common.js';

const key = decodeURIComponent(location.pathname.split('/').pop());
const rows = [];
let camera = null;
let process = 0;
let isFirst = true;

document.title = `${key} - CuFrames`;
setText($('name'), key);

const pictures = new Pictures(
  (stream, url) => {
    if (stream === $('stream').value) {
      $('picture').src = url;
      $('placeholder').hidden = true;
    }
  },
  (_, text) => {
    setText($('placeholder'), text);
    $('placeholder').hidden = false;
  });
prepareBar(pictures);
const log = new Log(true);
const readers = readerTable($('reader-table'));
const streams = new Table($('stream-table'), 'Streams', [
  { name: 'Stream', text: stream => stream.key },
  { name: 'Frames', text: stream => stream.width ? `${stream.format} ${stream.width}x${stream.height}` : '-' },
  { name: 'Memory', text: stream => stream.memory },
  { name: 'Rate', number: true, text: stream => `${stream.fps.toFixed(1)} fps` },
  { name: 'Published', number: true, text: stream => count(stream.published) },
  { name: 'Dropped', number: true, text: stream => count(stream.dropped) },
  { name: 'Ring', number: true, text: stream => stream.slots ? `${stream.held} of ${stream.slots} held` : '-' },
  { name: 'Size', number: true, text: stream => bytes(stream.bytes) },
  { name: 'Readers', number: true, text: stream => count(stream.readers) },
  { name: 'Evicted', number: true, text: stream => count(stream.evicted) },
  { name: 'Refused', number: true, text: stream => count(stream.refused) },
], 'No stream is published.');

const plots = [
  new Plot($('plots'), 'Frames per second', 1, value => value.toFixed(value < 10 ? 1 : 0), 1),
  new Plot($('plots'), 'Latency, p99', 2, value => `${value.toFixed(value < 10 ? 1 : 0)} ms`, 1),
  new Plot($('plots'), 'Dropped frames in ten seconds', 3, whole, 2),
  new Plot($('plots'), 'Readers, the dashboard included', 4, whole, 4),
  new Plot($('plots'), 'Ring held', 5, value => `${value.toFixed(0)} %`, 100, 100),
];

// Facts.

const facts = new Map();

function showFact(name, value) {
  let fact = facts.get(name);
  if (!fact) {
    fact = h('dd', {});
    $('facts').append(h('div', {}, h('dt', { text: name }), fact));
    facts.set(name, fact);
  }
  setText(fact, value);
}

function show(snapshot) {
  $('content').hidden = !camera;
  $('gone').hidden = !!camera;
  const runs = !!camera && camera.runs !== false;
  $('restart').hidden = !runs;
  $('state').hidden = !camera;
  if (!camera) {
    $('remove').hidden = true;
    pictures.want([]);
    return;
  }
  setAttribute($('state'), 'data-state', camera.state);
  setText($('state'), stateText(camera.state));
  setText($('reason'), camera.reason);
  $('figure').hidden = !runs;
  const own = camera.streams[0];
  showFact('Source', camera.source);
  showFact('Since', camera.since ? `${time(camera.since)}, ${span((snapshot.time - camera.since) / 1000)}` : '-');
  showFact('Rate', own ? `${own.fps.toFixed(1)} fps` : '-');
  showFact('Received', camera.bytesPerSecond ? `${(camera.bytesPerSecond * 8 / 1e6).toFixed(2)} Mbit/s` : '-');
  showFact('Latency p50 / p95 / p99', camera.latency ? camera.latency.map(latency).join(' / ') : '-');
  showFact('Decoder', camera.decoder || '-');
  showFact('Ring', own?.slots ? `${own.held} of ${own.slots} slots held, ${bytes(own.bytes)}` : '-');
  showFact('Packets', camera.packets ? `${count(camera.packets.published)} published, ${(camera.packets.bufferedMs / 1000).toFixed(1)} s kept in ${bytes(camera.packets.bytes)}` : 'not published');
  showFact('Process', !runs ? '-' : camera.worker ? `a worker of its own, ${camera.worker}` : 'the daemon\'s');
  streams.update(camera.streams.map(stream => [stream.key, stream]));
  readers.update(camera.readers.filter(reader => isOther(reader, process)).map(reader => [`${reader.stream} ${reader.packets} ${reader.id}`, reader]));
  showChoice();
}

/** The streams that a picture can be had of. The camera's own at first, since that is the largest. */
function showChoice() {
  const select = $('stream');
  const keys = camera.streams.map(stream => stream.key);
  if ([...select.options].map(option => option.value).join() !== keys.join()) {
    const chosen = select.value;
    select.replaceChildren(...keys.map(name => h('option', { value: name, text: name })));
    select.value = keys.includes(chosen) ? chosen : keys[0] ?? '';
  }
  setAttribute($('picture'), 'alt', `${camera.state === 'live' ? 'Picture' : 'Last picture'} of ${select.value}`);
  pictures.want(select.value ? [select.value] : []);
}

$('stream').addEventListener('change', showChoice);

new Feed(`/events/stream?camera=${encodeURIComponent(key)}`, {
  connection: isThere => isThere && pictures.restart(),
  hello: hello => {
    process = hello.process;
    rows.length = 0;
    isFirst = true;
    log.clear();
    showPermissions(hello);
  },
  snapshot: snapshot => {
    const before = camera?.state;
    if (snapshot.cameras.length > 0) {
      camera = snapshot.cameras[0];
    } else if (snapshot.order?.length === 0) {
      camera = null;
    }
    if (!isFirst && camera?.state !== before) {
      announce(key, camera ? `${stateText(camera.state)}. ${camera.reason}` : 'The camera was removed.');
    }
    isFirst = false;
    show(snapshot);
  },
  details: details => {
    setText($('settings-text'), details.settings.trim() || 'none but the defaults');
    setText($('origin'), details.isAdded
      ? 'Added while the daemon ran: it is kept in the daemon\'s state.'
      : 'From the configuration file: only a change of the file changes it.');
    $('remove').hidden = !details.isAdded;
  },
  history: history => showRows(history),
  sample: history => showRows(history),
  log: event => log.add(event, process),
});

function showRows(history) {
  addRows(rows, history.rows);
  plots.forEach(plot => plot.update(rows));
}

// Actions.

$('restart').addEventListener('click', async event => {
  const button = event.currentTarget;
  if (await confirmed(`Restart ${key}`, 'Its source is opened anew. Its readers are disconnected and connect again.', 'Restart')) {
    await act(button, '/api/cameras/restart', { key });
  }
});
$('remove').addEventListener('click', async event => {
  const button = event.currentTarget;
  if (await confirmed(`Remove ${key}`, 'Its streams end for good, and its settings are forgotten.', 'Remove') && await act(button, '/api/cameras/remove', { key })) {
    location.assign('/');
  }
});
