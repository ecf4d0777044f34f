// SPDX-License-Identifier: LGPL-2.1-or-later
// What the pages of the dashboard share: elements, figures for people, the stream of events, the stream of pictures, plots.

export const $ = id => document.getElementById(id);

/** Makes an element. Properties: class, text, data (an object), on (handlers); everything else is an attribute. */
export function h(tag, properties = {}, ...children) {
  const element = tag.startsWith('svg:') ? document.createElementNS('http://www.w3.org/2000/svg', tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) {
      continue;
    } else if (name === 'text') {
      element.textContent = value;
    } else if (name === 'data') {
      Object.assign(element.dataset, value);
    } else if (name === 'on') {
      Object.entries(value).forEach(([kind, handler]) => element.addEventListener(kind, handler));
    } else {
      element.setAttribute(name, value === true ? '' : value);
    }
  }
  element.append(...children);
  return element;
}

/** Sets a text, and touches the page only if it is another one. */
export function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, value);
  }
}

// Figures.

const counted = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const shortClock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

export const count = value => counted.format(value);

/** A number that may be the middle of two whole ones. */
export const whole = value => Number.isInteger(value) ? count(value) : value.toFixed(1);
export const time = milliseconds => clock.format(milliseconds);
export const shortTime = milliseconds => shortClock.format(milliseconds);

export function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(unit === 0 || value >= 100 ? 0 : 1)} ${units[unit]}`;
}

/** A latency in microseconds. */
export function latency(value) {
  return value < 1000 ? `${value.toFixed(0)} µs` : `${(value / 1000).toFixed(value < 10000 ? 1 : 0)} ms`;
}

export function span(seconds) {
  seconds = Math.max(0, Math.floor(seconds));
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const first = parts.findIndex(([size]) => seconds >= size);
  if (first < 0) {
    return '0 s';
  }
  const [size, unit] = parts[first];
  const rest = first + 1 < parts.length ? Math.floor((seconds % size) / parts[first + 1][0]) : 0;
  return `${Math.floor(seconds / size)} ${unit}${rest > 0 ? ` ${rest} ${parts[first + 1][1]}` : ''}`;
}

const states = {
  'live': 'Live', 'starting': 'Starting', 'source-lost': 'Source lost', 'ended': 'Ended', 'failed': 'Failed', 'idle': 'Idle', 'unavailable': 'Not available',
  'disabled': 'Disabled',
};
export const stateText = state => states[state] ?? state;

// Requests.

/** Sends JSON and gives the answer. Throws an Error with the server's words. */
export async function post(path, content) {
  let response;
  try {
    response = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(content) });
  } catch {
    throw new Error('The daemon does not answer.');
  }
  if (!response.ok) {
    throw new Error((await response.text()).trim() || `The daemon answered with status ${response.status}.`);
  }
  return response.json();
}

// What screen readers are told: what changed, put together, and not more often than every few seconds.

const waiting = new Map();
let announcing = false;

/** Tells something once. A later text about the same replaces one that was not told yet. */
export function announce(about, text) {
  waiting.set(about, text);
  if (!announcing) {
    announcing = true;
    setTimeout(tell, 1000);
  }
}

function tell() {
  const texts = [...waiting.values()];
  waiting.clear();
  announcing = texts.length > 0;
  if (announcing) {
    $('announce').textContent = texts.length > 5 ? `${texts.slice(0, 5).join(' ')} And ${texts.length - 5} more.` : texts.join(' ');
    setTimeout(tell, 5000);
  }
}

// The stream of events.

/**
 * Keeps a stream of events open for ever, and says in the page when there is none. Each connection begins with everything, so whoever handles the events
 * begins anew with "hello".
 */
export class Feed {
  #path;
  #handlers;
  #source;
  #heard = 0;
  #wasThere = false;
  #isThere = false;

  constructor(path, handlers) {
    this.#path = path;
    this.#handlers = handlers;
    this.#open();
    setInterval(() => this.#check(), 1000);
    addEventListener('pageshow', event => event.persisted && this.#open());
    addEventListener('pagehide', () => this.#source.close());
  }

  #open() {
    this.#source?.close();
    this.#heard = performance.now();
    const source = this.#source = new EventSource(this.#path);
    for (const name of ['hello', 'snapshot', 'details', 'history', 'sample', 'log']) {
      source.addEventListener(name, event => {
        this.#heard = performance.now();
        this.#tell(true);
        this.#handlers[name]?.(JSON.parse(event.data));
      });
    }
    source.addEventListener('error', () => this.#tell(false));
  }

  /** A daemon sends something each second. One that is silent is gone, also if the connection does not know it. */
  #check() {
    const silence = performance.now() - this.#heard;
    if (silence > 5000) {
      this.#tell(false);
    }
    if (silence > 5000 || (this.#source.readyState === EventSource.CLOSED && silence > 2000)) {
      this.#findOut();
      this.#open();
    }
  }

  /** Whether the daemon is there but wants a login. */
  async #findOut() {
    try {
      const response = await fetch(location.href, { headers: { Accept: 'text/html' } });
      if (response.status === 401 || response.status === 403) {
        location.reload();
      }
    } catch {
      // It is gone, which the page says already.
    }
  }

  #tell(isThere) {
    if (isThere === this.#isThere && this.#wasThere) {
      return;
    }
    if (!isThere && !this.#wasThere && performance.now() - this.#heard < 3000) {
      return;
    }
    const connection = $('connection');
    connection.dataset.state = isThere ? 'live' : 'lost';
    setText(connection, isThere ? 'Connected' : 'Not connected');
    const banner = $('banner');
    banner.hidden = isThere;
    setText(banner, isThere ? '' : 'The daemon does not answer. What is shown is what was before. It is tried again until it is there.');
    if (isThere && this.#wasThere) {
      announce('connection', 'The daemon is there again.');
    }
    document.body.classList.toggle('stale', !isThere);
    this.#wasThere ||= true;
    this.#isThere = isThere;
    this.#handlers.connection?.(isThere);
  }
}

// The stream of pictures.

/** Fetches the pictures of those streams that are in view: all of them in one answer of the server. */
export class Pictures {
  #onPicture;
  #onProblem;
  #wanted = new Set();
  #abort = null;
  #timer = 0;
  #isPaused = false;
  #urls = new Map();

  /** onPicture(key, url), onProblem(key, text). A url is good until the next picture of that key. */
  constructor(onPicture, onProblem) {
    this.#onPicture = onPicture;
    this.#onProblem = onProblem;
    document.addEventListener('visibilitychange', () => this.#soon(0));
  }

  want(keys) {
    const next = new Set(keys);
    if (next.size !== this.#wanted.size || [...next].some(key => !this.#wanted.has(key))) {
      this.#wanted = next;
      this.#soon(250);
    }
  }

  set paused(value) {
    this.#isPaused = value;
    this.#soon(0);
  }

  /** The daemon is there (again). */
  restart() {
    this.#soon(0);
  }

  #soon(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#run(), delay);
  }

  async #run() {
    this.#abort?.abort();
    this.#abort = null;
    if (this.#isPaused || document.hidden || this.#wanted.size === 0) {
      return;
    }
    const abort = this.#abort = new AbortController();
    try {
      const response = await fetch('/tiles', {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ streams: [...this.#wanted].slice(0, 128) }), signal: abort.signal,
      });
      if (response.ok) {
        await this.#read(response.body.getReader());
      }
    } catch {
      // Another set is wanted, or the daemon has gone: then it is tried again.
    }
    if (this.#abort === abort) {
      this.#soon(2000);
    }
  }

  /** Records: length of the key, key, kind, length, content. Kind 0 is a JPEG, 1 a sentence. */
  async #read(reader) {
    let rest = new Uint8Array(0);
    for (;;) {
      const { value, done } = await reader.read();
      if (done) {
        return;
      }
      const data = new Uint8Array(rest.length + value.length);
      data.set(rest);
      data.set(value, rest.length);
      let place = 0;
      while (place < data.length) {
        const keyLength = data[place];
        const start = place + 1 + keyLength + 5;
        if (start > data.length) {
          break;
        }
        const length = new DataView(data.buffer, start - 4, 4).getUint32(0);
        if (start + length > data.length) {
          break;
        }
        const key = new TextDecoder().decode(data.subarray(place + 1, place + 1 + keyLength));
        this.#take(key, data[start - 5], data.slice(start, start + length));
        place = start + length;
      }
      rest = data.slice(place);
    }
  }

  #take(key, kind, content) {
    if (kind !== 0) {
      this.#onProblem(key, new TextDecoder().decode(content));
      return;
    }
    const url = URL.createObjectURL(new Blob([content], { type: 'image/jpeg' }));
    const before = this.#urls.get(key);
    this.#urls.set(key, url);
    this.#onPicture(key, url);
    if (before) {
      URL.revokeObjectURL(before);
    }
  }
}

// Things that both pages have.

/** Makes the buttons of the bar work. */
export function prepareBar(pictures) {
  const theme = $('theme');
  theme.value = document.documentElement.dataset.theme ?? 'system';
  theme.addEventListener('change', () => {
    if (theme.value === 'system') {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem('theme');
    } else {
      document.documentElement.dataset.theme = theme.value;
      localStorage.setItem('theme', theme.value);
    }
  });
  const pause = $('pause');
  pause.addEventListener('click', () => {
    const isPaused = pause.getAttribute('aria-pressed') !== 'true';
    pause.setAttribute('aria-pressed', String(isPaused));
    pictures.paused = isPaused;
  });
  $('logout').addEventListener('click', async () => {
    await post('/logout', {});
    location.reload();
  });
}

/** What the caller may do decides which buttons there are. */
export function showPermissions(hello) {
  document.body.classList.toggle('view-only', !hello.control);
  $('logout').hidden = !hello.login;
}

let questions = 0;

/** Asks whether something is to be done. */
export function confirmed(title, text, button) {
  const dialog = $('confirm');
  setText($('confirm-title'), title);
  setText($('confirm-text'), text);
  setText($('confirm-yes'), button);
  dialog.returnValue = 'no';
  dialog.showModal();
  const question = ++questions;
  return new Promise(done => {
    const close = () => {
      // What closed the dialog before may be told late, when it is open again.
      if (!dialog.open) {
        dialog.removeEventListener('close', close);
        done(question === questions && dialog.returnValue === 'yes');
      }
    };
    dialog.addEventListener('close', close);
  });
}

/** Does something that a button asks for, and says how it went. */
export async function act(button, path, content) {
  button.disabled = true;
  try {
    const answer = await post(path, content);
    announce(path, answer.done);
    return true;
  } catch (error) {
    await confirmed('That did not work', error.message, 'All right');
    return false;
  } finally {
    button.disabled = false;
    if (document.activeElement === document.body) {
      button.focus();
    }
  }
}

/** A table whose rows stay the same elements while their figures change. */
export class Table {
  #body;
  #rows = new Map();
  #columns;
  #empty;
  #table;

  /** columns: [{ name, text(row), number, cell(row) }]: a text, or an element that is made once for each row. */
  constructor(place, caption, columns, empty) {
    this.#columns = columns;
    this.#body = h('tbody', { role: 'rowgroup' });
    this.#table = h('table', { role: 'table' },
      h('caption', { class: 'hidden', text: caption }),
      h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...columns.map(column =>
        h('th', { scope: 'col', role: 'columnheader', class: column.number ? 'number' : undefined }, column.hidden ? h('span', { class: 'hidden', text: column.name }) : column.name)))),
      this.#body);
    this.#empty = h('p', { class: 'empty', text: empty, tabindex: -1 });
    place.append(this.#table, this.#empty);
  }

  /** rows: [[key, row]] in order. */
  update(rows) {
    const keys = new Set(rows.map(([key]) => key));
    let hadFocus = false;
    for (const [key, element] of this.#rows) {
      if (!keys.has(key)) {
        hadFocus ||= element.contains(document.activeElement);
        element.remove();
        this.#rows.delete(key);
      }
    }
    let next = this.#body.firstElementChild;
    for (const [key, row] of rows) {
      let element = this.#rows.get(key);
      if (!element) {
        element = this.#make(row);
        this.#rows.set(key, element);
      }
      if (element === next) {
        next = next.nextElementSibling;
      } else {
        this.#body.insertBefore(element, next);
      }
      this.#columns.forEach((column, i) => column.text && setText(element.children[i], column.text(row)));
    }
    this.#table.hidden = rows.length === 0;
    this.#empty.hidden = rows.length > 0;
    if (hadFocus) {
      // Who was in a row that has gone goes on in the table, and not at the top of the page.
      (this.#body.querySelector('button') ?? this.#empty).focus();
    }
  }

  #make(row) {
    return h('tr', { role: 'row' }, ...this.#columns.map((column, i) => {
      const cell = h(i === 0 ? 'th' : 'td', {
        role: i === 0 ? 'rowheader' : 'cell', scope: i === 0 ? 'row' : undefined, class: column.number ? 'number' : column.hidden ? 'last' : undefined, data: column.hidden ? {} : { label: column.name },
      });
      if (column.cell) {
        cell.append(column.cell(row));
      }
      return cell;
    }));
  }
}

/** The table of readers. */
export function readerTable(place) {
  return new Table(place, 'Readers', [
    { name: 'Stream', text: reader => reader.packets ? `${reader.stream} (packets)` : reader.stream },
    { name: 'Program', text: reader => reader.program || 'unnamed' },
    { name: 'Process', number: true, text: reader => reader.pid ? String(reader.pid) : 'not visible' },
    { name: 'User', number: true, text: reader => String(reader.user) },
    { name: 'Takes', text: reader => reader.delivery },
    { name: 'Lag', number: true, text: reader => count(reader.lag) },
    { name: 'Missed', number: true, text: reader => count(reader.missed) },
    { name: 'Taken', number: true, text: reader => count(reader.taken) },
    { name: 'Holds', number: true, text: reader => reader.packets ? '-' : `${reader.held} of ${reader.granted}` },
    { name: 'Evict', hidden: true, cell: reader => h('button', {
      type: 'button', class: 'control small', text: 'Evict', 'aria-label': `Evict ${reader.program || 'reader'} ${reader.pid || reader.id} from ${reader.stream}`,
      on: { click: event => evict(event.currentTarget, reader) },
    }) },
  ], 'Nobody reads.');
}

async function evict(button, reader) {
  const name = `${reader.program || 'The reader'}${reader.pid ? ` (process ${reader.pid})` : ''}`;
  if (await confirmed('Evict a reader', `${name} is disconnected from ${reader.stream}. It is told so, and may come back.`, 'Evict')) {
    await act(button, '/api/readers/evict', { stream: reader.stream, packets: reader.packets, id: reader.id });
  }
}

/** The dashboard reads tiles itself: that is nobody whom people look for. */
export const isOther = (reader, process) => !(reader.program === 'dashboard' && reader.pid === process);

/** The list of events, the newest first. */
export class Log {
  #list = $('log');
  #level = 'info';
  #isOnePage;

  constructor(isOneCamera) {
    this.#isOnePage = isOneCamera;
    const level = $('level');
    level.addEventListener('change', () => {
      this.#level = level.value;
      [...this.#list.children].forEach(item => this.#filter(item));
    });
  }

  clear() {
    this.#list.replaceChildren();
  }

  /** process: the daemon's. That it reads tiles itself is nothing that happened. */
  add(event, process) {
    if ((event.id === 400 || event.id === 401) && event.text.includes(`'dashboard', process ${process}`)) {
      return;
    }
    const camera = event.stream.split('@')[0];
    const item = h('li', { data: { level: event.level } },
      h('time', { datetime: new Date(event.time).toISOString(), text: time(event.time) }),
      h('span', { class: `level ${event.level}`, text: event.level }),
      h('span', { class: 'what' },
        event.stream && !this.#isOnePage ? h('a', { href: `/cameras/${encodeURIComponent(camera)}`, text: event.stream }) : '',
        event.stream && this.#isOnePage && event.stream !== camera ? h('b', { text: event.stream }) : '',
        h('span', { text: ` ${event.text} ` }),
        h('span', { class: 'muted', text: `(${event.id} ${event.name})` })));
    this.#filter(item);
    this.#list.prepend(item);
    while (this.#list.children.length > 100) {
      this.#list.lastElementChild.remove();
    }
  }

  #filter(item) {
    const level = item.dataset.level;
    item.hidden = !(this.#level === 'info' || level === 'error' || (this.#level === 'warning' && level === 'warning'));
  }
}

// Plots.

const Hour = 3600_000;
const Width = 600;
const Height = 150;
const Top = 12;

/** A plot of the last hour. It has a sentence and a table that say the same. */
export class Plot {
  #title;
  #format;
  #column;
  #atLeast;
  #most;
  #svg;
  #line;
  #area;
  #labels;
  #cursor;
  #now;
  #summary;
  #table;
  #details;
  #rows = [];

  /** column: of the rows. format: of a value. atLeast: what the axis shows at least. most: where it ends. */
  constructor(place, title, column, format, atLeast, most = Infinity) {
    this.#title = title;
    this.#column = column;
    this.#format = format;
    this.#atLeast = atLeast;
    this.#most = most;
    this.#area = h('svg:path', { class: 'area' });
    this.#line = h('svg:path', { class: 'line' });
    this.#cursor = h('svg:line', { class: 'cursor', y1: 0, y2: Height, visibility: 'hidden' });
    const grid = [0, 0.5, 1].map(part => h('svg:line', { class: 'grid', x1: 0, x2: Width, y1: Top + (Height - Top) * part, y2: Top + (Height - Top) * part }));
    this.#svg = h('svg:svg', { viewBox: `0 0 ${Width} ${Height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': title }, ...grid, this.#area, this.#line, this.#cursor);
    this.#labels = [h('span', {}), h('span', {}), h('span', { text: '0' })];
    this.#now = h('output', { class: 'value' });
    this.#summary = h('p', { class: 'muted' });
    this.#table = h('div', {});
    this.#details = h('details', {}, h('summary', { text: 'Numbers', 'aria-label': `Numbers of ${title}` }), this.#table);
    this.#details.addEventListener('toggle', () => this.#fillTable());
    place.append(h('figure', { class: 'plot' },
      h('figcaption', {}, h('h3', { text: title }), this.#now),
      h('div', { class: 'chart' }, h('div', { class: 'axis', 'aria-hidden': 'true' }, ...this.#labels), this.#svg),
      h('div', { class: 'times', 'aria-hidden': 'true' }, h('span', { text: '60 min ago' }), h('span', { text: '30' }), h('span', { text: 'now' })),
      this.#summary, this.#details));
    this.#svg.addEventListener('pointermove', event => this.#point(event));
    this.#svg.addEventListener('pointerleave', () => this.#unpoint());
  }

  update(rows) {
    this.#rows = rows;
    const values = rows.map(row => row[this.#column]);
    const known = values.filter(value => value !== null && value !== undefined);
    const end = rows.length > 0 ? rows[rows.length - 1][0] : 0;
    const top = Math.min(this.#most, niceAbove(Math.max(this.#atLeast, ...known), this.#format === bytes));
    const x = row => Width - ((end - row[0]) / Hour) * Width;
    const y = value => Height - (Math.min(value, top) / top) * (Height - Top);
    let line = '';
    let area = '';
    let start = null;
    let last = null;
    rows.forEach((row, i) => {
      const value = values[i];
      if (value === null || value === undefined) {
        area += start === null ? '' : `L${last} ${Height}L${start} ${Height}Z`;
        start = null;
        return;
      }
      const place = `${x(row).toFixed(1)} ${y(value).toFixed(1)}`;
      line += `${start === null ? 'M' : 'L'}${place}`;
      area += `${start === null ? 'M' : 'L'}${place}`;
      start ??= x(row).toFixed(1);
      last = x(row).toFixed(1);
    });
    area += start === null ? '' : `L${last} ${Height}L${start} ${Height}Z`;
    setAttribute(this.#line, 'd', line);
    setAttribute(this.#area, 'd', area);
    setText(this.#labels[0], this.#format(top));
    setText(this.#labels[1], this.#format(top / 2));
    this.#unpoint();
    const text = known.length === 0
      ? 'Nothing is known yet.'
      : `Lowest ${this.#format(Math.min(...known))}, highest ${this.#format(Math.max(...known))}.`;
    setText(this.#summary, text);
    setAttribute(this.#svg, 'aria-label', `${this.#title}, the last hour: now ${this.#nowText()}. ${text}`);
    if (this.#details.open) {
      this.#fillTable();
    }
  }

  #nowText() {
    const value = this.#rows.at(-1)?.[this.#column];
    return value === null || value === undefined ? 'unknown' : this.#format(value);
  }

  #point(event) {
    if (this.#rows.length === 0) {
      return;
    }
    const box = this.#svg.getBoundingClientRect();
    const end = this.#rows.at(-1)[0];
    const wanted = end - (1 - (event.clientX - box.left) / box.width) * Hour;
    const row = this.#rows.reduce((best, next) => Math.abs(next[0] - wanted) < Math.abs(best[0] - wanted) ? next : best);
    const x = Width - ((end - row[0]) / Hour) * Width;
    this.#cursor.setAttribute('x1', x);
    this.#cursor.setAttribute('x2', x);
    this.#cursor.setAttribute('visibility', 'visible');
    const value = row[this.#column];
    setText(this.#now, `${time(row[0])}: ${value === null || value === undefined ? 'unknown' : this.#format(value)}`);
  }

  #unpoint() {
    this.#cursor.setAttribute('visibility', 'hidden');
    setText(this.#now, this.#nowText());
  }

  /** Every five minutes is enough to hear. */
  #fillTable() {
    if (!this.#details.open) {
      return;
    }
    const rows = this.#rows.filter((_, i) => (this.#rows.length - 1 - i) % 30 === 0).reverse();
    this.#table.replaceChildren(h('table', {},
      h('caption', { class: 'hidden', text: this.#title }),
      h('thead', {}, h('tr', {}, h('th', { scope: 'col', text: 'Time' }), h('th', { scope: 'col', class: 'number', text: this.#title }))),
      h('tbody', {}, ...rows.map(row => h('tr', {}, h('th', { scope: 'row', text: shortTime(row[0]) }),
        h('td', { class: 'number', text: row[this.#column] === null || row[this.#column] === undefined ? 'unknown' : this.#format(row[this.#column]) }))))));
  }
}

/** The next round number: of bytes a round one too. */
function niceAbove(value, isBinary) {
  if (isBinary) {
    const size = 2 ** Math.floor(Math.log2(value));
    return [1, 1.25, 1.5, 2].map(factor => factor * size).find(candidate => candidate >= value);
  }
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map(factor => factor * size).find(candidate => candidate >= value * 0.999);
}

/** Rows of history: begins with all of them, and then takes one at a time. */
export function addRows(rows, more) {
  rows.push(...more);
  const oldest = (rows.at(-1)?.[0] ?? 0) - Hour;
  while (rows.length > 0 && rows[0][0] < oldest) {
    rows.shift();
  }
}
