// The rows: read a piece at a time, then searched, filtered by facets and sorted, all by numbers that stand for texts.
// What they are filtered by and which columns the table has says the page's own script, which comes first.

const meta = JSON.parse(document.getElementById('meta').textContent);
const place = Object.fromEntries(meta.columns.map((name, index) => [name, index]));

/** What rows are filtered by; each value has a number, its place in `names`. Those of a row are among `codes`, from its
 * place in `starts` to that of the next: one long list is gone through faster than many short ones. */
const facets = FACETS.map(([key, label]) => ({ key, label, names: [], numbers: new Map(), codes: [], starts: [0], chosen: new Set(), counts: [] }));

const rows = [];
const haystacks = [];
const hosts = new Map();

/** What stands in a column of a row; an empty text where nothing does. */
const cell = (row, name) => row[place[name]] ?? '';
/** What an object has under a name of its own: rows may ask for `constructor`. */
const own = (object, name) => Object.hasOwn(object, name) ? object[name] : undefined;
const flat = (value) => Array.isArray(value) ? value.map(flat).join(' ') : typeof value === 'object' ? Object.values(value).map(flat).join(' ') : String(value);
const hostOf = (row) => cell(row, 'ip') || cell(row, 'name') || '?';
const endpointOf = (row) => {
  const host = hostOf(row);
  return host.includes(':') ? `[${host}]:${cell(row, 'port')}` : `${host}:${cell(row, 'port')}`;
};

function numberOf(facet, text) {
  let number = facet.numbers.get(text);
  if (number === undefined) {
    number = facet.names.length;
    facet.names.push(text);
    facet.numbers.set(text, number);
  }
  return number;
}

function take(row) {
  const index = rows.length;
  rows.push(row);
  // Also the endpoint as it is shown.
  haystacks.push(`${row.map(flat).join('\n')}\n${endpointOf(row)}`.toLowerCase());
  for (const facet of facets) {
    for (const text of valuesOf(row, facet.key)) facet.codes.push(numberOf(facet, text));
    facet.starts.push(facet.codes.length);
  }
  const host = hostOf(row);
  const known = hosts.get(host);
  if (known) known.push(index); else hosts.set(host, [index]);
}

/** Reads all rows, a script element a turn, so that the page answers meanwhile. */
async function load(progress) {
  for (const element of document.querySelectorAll('script.rows')) {
    JSON.parse(element.textContent).forEach(take);
    element.remove();
    progress(rows.length);
    await new Promise((resume) => setTimeout(resume));
  }
}

const severities = ['', 'info', 'low', 'medium', 'high'];
for (const column of columns) {
  column.text ??= (row) => String(cell(row, column.name));
  column.key ??= column.text;
}

/** An address as a text that sorts as it does. */
function addressKey(host) {
  const four = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host);
  if (four) return '4' + four.slice(1).map((part) => part.padStart(3, '0')).join('');
  if (!/^[0-9a-f:.]+$/i.test(host) || !host.includes(':')) return '9' + host;
  const [head, tail] = host.split('::');
  const parts = (text) => text ? text.split(':') : [];
  const [before, after] = [parts(head), parts(tail ?? '')];
  const between = Array(Math.max(0, 8 - before.length - after.length)).fill('0');
  return '6' + [...before, ...(tail === undefined ? [] : between), ...after].map((part) => part.padStart(4, '0')).join('');
}

/** A text that sorts as people count: `a9` before `a10`, whatever its case and accents. A collator takes ten times as long. */
const natural = (text) => text.normalize('NFD').toLowerCase().replace(/\d+/g, (digits) => digits.padStart(12, '0'));

/** For each value its place in the order of all; equal ones have the same. */
function ranked(values, keyOf) {
  const keys = values.map(keyOf);
  const order = [...new Set(keys)];
  if (typeof order[0] === 'number') order.sort((one, other) => one - other); else order.sort();
  const ranks = new Map(order.map((key, rank) => [key, rank]));
  return keys.map((key) => ranks.get(key));
}

/** For each row its place in the order of a column; equal ones have the same, and empty ones none. */
function ranksOf(column) {
  if (column.ranks?.length === rows.length) return column.ranks;
  const numbers = new Map();
  const codes = rows.map((row) => {
    const key = column.key(row);
    if (!numbers.has(key)) numbers.set(key, numbers.size);
    return numbers.get(key);
  });
  const keys = [...numbers.keys()];
  // Numbers and addresses are what they sort as.
  const isWords = typeof keys[0] === 'string' && column.name !== 'endpoint';
  const places = ranked(keys, isWords ? natural : (key) => key);
  column.ranks = Int32Array.from(codes, (code) => keys[code] === '' ? -1 : places[code]);
  return column.ranks;
}

/** Every row in the order of a column, empty cells last whichever way; of equal ones the first stays first. */
function sorted(name, descending) {
  const column = columns.find((column) => column.name === name);
  if (!column) return Uint32Array.from(rows, (_, index) => index);
  const ranks = ranksOf(column);
  const packed = new Float64Array(rows.length);
  for (let index = 0; index < packed.length; index++) {
    const rank = ranks[index] < 0 ? 0xffffff : descending ? 0xfffffe - ranks[index] : ranks[index];
    packed[index] = rank * 0x1000000 + index;
  }
  return Uint32Array.from(packed.sort(), (both) => both % 0x1000000);
}

/** Which rows have every word of what was asked last. */
let found = { query: '', are: null };

/** Which rows have every word; null where none is asked for. Whoever types on looks among those that were found. */
function search(query) {
  if (query !== found.query || found.are?.length !== rows.length) {
    const before = found.are?.length === rows.length && query.startsWith(found.query) ? found.are : null;
    const wanted = query.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (text, index) => (!before || before[index]) && wanted.every((word) => text.includes(word));
    found = { query, are: wanted.length > 0 ? Uint8Array.from(haystacks, has) : null };
  }
  return found.are;
}

/** The rows of an order that have every word and a chosen value of each facet; counts what each value would give. */
function filtered(order, query) {
  const are = search(query);
  for (const facet of facets) facet.counts = new Uint32Array(facet.names.length);
  const active = facets.filter((facet) => facet.chosen.size > 0);
  if (!are && active.length === 0) {
    for (const { codes, counts } of facets) for (const code of codes) counts[code]++;
    return order;
  }
  const chosen = active.map((facet) => Uint8Array.from(facet.names, (name) => facet.chosen.has(name)));
  const passes = ({ codes, starts }, chosen, index) => {
    for (let at = starts[index]; at < starts[index + 1]; at++) if (chosen[codes[at]]) return true;
    return false;
  };
  const count = ({ codes, starts, counts }, index) => {
    for (let at = starts[index]; at < starts[index + 1]; at++) counts[codes[at]]++;
  };
  const shown = new Uint32Array(order.length);
  let length = 0;
  for (const index of order) {
    if (are && !are[index]) continue;
    let failing = null;
    let failures = 0;
    for (let at = 0; at < active.length && failures < 2; at++) {
      if (passes(active[at], chosen[at], index)) continue;
      failing = active[at];
      failures++;
    }
    if (failures === 0) {
      shown[length++] = index;
      for (const facet of facets) count(facet, index);
    } else if (failures === 1) {
      count(failing, index);
    }
  }
  return shown.subarray(0, length);
}

/** Prepares the orders that may be asked for, one a turn. */
async function prepare() {
  for (const column of columns) {
    await new Promise((resume) => setTimeout(resume));
    ranksOf(column);
  }
}
