// The table: of all rows only those in sight are elements. Whatever rows say is put in as text.

const byId = (id) => document.getElementById(id);

/** An element with attributes and children; texts stay texts. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== ''));
  return element;
}

const badge = (severity) => severity ? make('span', { class: `badge sev-${severities.includes(severity) ? severity : 'none'}` }, severity) : '';
const grouped = (number) => number.toLocaleString('en');
const many = (number, noun) => `${grouped(number)} ${noun}${number === 1 ? '' : 's'}`;

const state = { query: '', sort: 'severity', descending: true, order: [], shown: [], active: 0, widths: 0 };
const ROW = 36;
/** So many values of a facet are listed at first, and at most. */
const FEW = 7;
const MOST = 250;

/** Whether there is more than the table has. */
const isLimited = byId('limited') !== null;
const grid = byId('grid');
const canvas = make('div', { role: 'rowgroup', class: 'canvas' });
const header = make('div', { role: 'row', 'aria-rowindex': '1', class: 'row head' });
const drawn = new Map();

function setUpGrid() {
  grid.setAttribute('aria-colcount', columns.length);
  columns.forEach((column, index) => {
    const sort = () => {
      // Numbers of things to mend begin with the most.
      state.descending = state.sort === column.name ? !state.descending : Boolean(column.most);
      state.sort = column.name;
      reorder();
    };
    column.head = make('div', { role: 'columnheader', 'aria-colindex': index + 1, class: `cell ${column.name}` },
      make('button', { type: 'button', onclick: sort, tabindex: '0' }, column.label, make('span', { class: 'arrow', 'aria-hidden': 'true' })));
    header.append(column.head);
  });
  grid.append(make('div', { role: 'rowgroup', class: 'heads' }, header), canvas);
  if (isLimited) byId('none').append(' ', make('a', { href: '#limited' }, `Not every ${NOUN} is on this page.`));
  grid.addEventListener('scroll', () => requestAnimationFrame(draw), { passive: true });
  new ResizeObserver(draw).observe(grid);
  canvas.addEventListener('click', (event) => {
    const row = event.target.closest('.row');
    if (!row || event.target.closest('a')) return;
    state.active = Number(row.dataset.at);
    open();
  });
  grid.addEventListener('keydown', (event) => {
    if (event.target !== grid) return;
    const page = Math.max(1, Math.floor((grid.clientHeight - ROW) / ROW) - 1);
    const last = state.shown.length - 1;
    const to = { ArrowDown: state.active + 1, ArrowUp: state.active - 1, PageDown: state.active + page, PageUp: state.active - page, Home: 0, End: last }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      activate(Math.max(0, Math.min(last, to)));
    } else if (event.key === 'Enter' && last >= 0) {
      event.preventDefault();
      open();
    }
  });
}

/** Makes a row the chosen one, and brings it into sight. */
function activate(at) {
  state.active = at;
  const top = at * ROW;
  const room = grid.clientHeight - ROW;
  if (top < grid.scrollTop) grid.scrollTop = top;
  else if (top + ROW > grid.scrollTop + room) grid.scrollTop = top + ROW - room;
  draw();
}

const open = () => { location.hash = new URLSearchParams({ host: hostOf(rows[state.shown[state.active]]) }).toString(); };

function rowElement(at) {
  const row = rows[state.shown[at]];
  const cells = columns.map((column, index) => {
    const text = column.text(row);
    const href = '#' + new URLSearchParams({ host: hostOf(row) });
    const inner = column.name === 'severity' ? badge(text) : column.name === 'endpoint' ? make('a', { href, tabindex: '-1' }, text) : text;
    const status = column.status?.(row) ?? '';
    // What a colour says, in a word for those who do not see it.
    const word = column.word?.(row);
    const title = word ? `${text}, ${word}` : text.length > 12 && text;
    return make('div', { role: 'gridcell', 'aria-colindex': index + 1, class: `cell ${column.name} ${status}`, title }, inner, word && make('span', { class: 'hidden' }, `, ${word}`));
  });
  const element = make('div', { role: 'row', id: `row-${at}`, 'aria-rowindex': at + 2, class: 'row', 'data-at': at }, ...cells);
  element.style.transform = `translateY(${at * ROW}px)`;
  return element;
}

/** Draws the rows that are in sight, and a few around them. */
function draw() {
  const first = Math.max(0, Math.floor(grid.scrollTop / ROW) - 6);
  const end = Math.min(state.shown.length, Math.ceil((grid.scrollTop + grid.clientHeight) / ROW) + 6);
  for (const [at, element] of drawn) {
    if (at < first || at >= end) {
      element.remove();
      drawn.delete(at);
    }
  }
  for (let at = first; at < end; at++) {
    if (drawn.has(at)) continue;
    const element = rowElement(at);
    drawn.set(at, element);
    // A screen reader finds them in their order.
    const next = drawn.get(at + 1);
    if (next) next.before(element); else canvas.append(element);
  }
  for (const [at, element] of drawn) {
    const isActive = at === state.active;
    element.classList.toggle('active', isActive);
    element.setAttribute('aria-selected', isActive);
  }
  if (drawn.has(state.active)) grid.setAttribute('aria-activedescendant', `row-${state.active}`);
  else grid.removeAttribute('aria-activedescendant');
}

/** Sorts anew, and then filters. */
function reorder() {
  state.order = sorted(state.sort, state.descending);
  for (const column of columns) {
    const is = column.name === state.sort;
    column.head.setAttribute('aria-sort', is ? (state.descending ? 'descending' : 'ascending') : 'none');
  }
  refresh();
}

/** Filters anew, and shows what comes of it. */
function refresh() {
  state.shown = filtered(state.order, state.query);
  state.active = 0;
  for (const element of drawn.values()) element.remove();
  drawn.clear();
  canvas.style.height = `${state.shown.length * ROW}px`;
  grid.setAttribute('aria-rowcount', state.shown.length + 1);
  grid.scrollTop = 0;
  grid.classList.toggle('empty', state.shown.length === 0);
  byId('none').hidden = state.shown.length > 0;
  const isAll = state.shown.length === rows.length;
  byId('count').textContent = isAll ? many(rows.length, NOUN) : `${grouped(state.shown.length)} of ${many(rows.length, NOUN)}${isLimited ? ' on this page' : ''}`;
  byId('clear').disabled = isAll && !state.query && facets.every((facet) => facet.chosen.size === 0);
  draw();
  drawFacets();
  drawChips();
  remember();
}

const shownName = (name) => name === '' ? '(none)' : name.replace(/_/g, ' ');

function choose(facet, name, isChosen) {
  if (isChosen) facet.chosen.add(name); else facet.chosen.delete(name);
  refresh();
}

/** Draws the facets that are open, and others once they are opened. */
function drawFacets() {
  if (byId('facets').childElementCount === 0) facets.forEach(setUpFacet);
  for (const facet of facets) {
    facet.details.hidden = facet.names.every((name) => name === '');
    facet.isDrawn = false;
    if (facet.details.open) drawFacet(facet);
  }
}

function setUpFacet(facet) {
  facet.list = make('ul');
  const onopen = () => { if (facet.details.open && !facet.isDrawn) drawFacet(facet); };
  facet.details = make('details', { open: OPEN.includes(facet.key), ontoggle: onopen }, make('summary', {}, facet.label), facet.list);
  byId('facets').append(facet.details);
}

function drawFacet(facet) {
  facet.isDrawn = true;
  const focused = facet.list.contains(document.activeElement) ? document.activeElement.dataset.value : undefined;
  if (facet.ranks?.length !== facet.names.length) facet.ranks = ranked(facet.names, natural);
  const all = facet.names.map((name, code) => [name, facet.counts[code] ?? 0, facet.ranks[code]]).filter(([name, count]) => count > 0 || facet.chosen.has(name));
  const byRank = facet.key === 'severity' ? ([one], [other]) => severities.indexOf(other) - severities.indexOf(one) : ([, few, one], [, most, other]) => most - few || one - other;
  all.sort(byRank);
  const listed = all.filter(([name], index) => index < (facet.more ? MOST : FEW) || facet.chosen.has(name));
  facet.list.replaceChildren(...listed.map(([name, count]) => {
    const box = make('input', { type: 'checkbox', 'data-value': `${facet.key}=${name}`, onchange: (event) => choose(facet, name, event.target.checked) });
    box.checked = facet.chosen.has(name);
    return make('li', {}, make('label', {}, box, make('span', { class: 'value' }, shownName(name)), make('span', { class: 'n' }, grouped(count))));
  }));
  const rest = all.length - listed.length;
  if (rest > 0 && !facet.more) {
    facet.list.append(make('li', {}, make('button', { type: 'button', class: 'more', onclick: () => { facet.more = true; drawFacet(facet); } }, `${grouped(rest)} more`)));
  }
  if (focused !== undefined) for (const box of facet.list.querySelectorAll('input')) if (box.dataset.value === focused) box.focus();
}

function drawChips() {
  const chips = facets.flatMap((facet) => [...facet.chosen].map((name) => make('li', {},
    make('button', { type: 'button', onclick: () => choose(facet, name, false), 'aria-label': `Take off: ${facet.label} ${shownName(name)}` }, `${facet.label}: ${shownName(name)}`, make('span', { 'aria-hidden': 'true' }, ' ×')))));
  byId('chips').replaceChildren(...chips);
}
