// The table of endpoints that differ: what it is filtered by, what it shows, and what differs at one host.

const NOUN = 'endpoint';

const FACETS = [
  ['kind', 'Kind'], ['severity', 'Severity'], ['trend', 'Trend'], ['field', 'Field'], ['what', 'What it means'],
  ['finding', 'Finding'], ['service', 'Service'], ['port', 'Port'], ['software', 'Software'], ['version', 'Version'],
  ['detail', 'Why'],
];
const OPEN = ['kind', 'severity', 'field', 'what'];

/** Of each field its name, what it was and is, what that means, how bad that is, and whether it is for the better. */
const fieldsOf = (row) => cell(row, 'fields') || [];

/** The texts of a facet that a row has: several of fields, one of everything else. */
function valuesOf(row, key) {
  switch (key) {
    case 'field': return [...new Set(fieldsOf(row).map(([field]) => field))];
    case 'what': return [...new Set(fieldsOf(row).map(([, , , what]) => what).filter((what) => what !== 'other'))];
    case 'finding': return [...new Set(fieldsOf(row).filter(([field]) => field === 'findings').map(([, from, to]) => (to || from).split(' ')[0]))];
    default: return [String(cell(row, key))];
  }
}

/** A field in one line. */
const told = ([field, from, to]) => from && to ? `${field} ${from} → ${to}` : from ? `${field} − ${from}` : to ? `${field} + ${to}` : field;

const columns = [
  { name: 'severity', label: 'Severity', most: true, key: (row) => severities.indexOf(cell(row, 'severity')) * 1000 + Math.min(999, fieldsOf(row).length) },
  { name: 'kind', label: 'Kind', text: (row) => cell(row, 'kind').replace(/_/g, ' ') },
  { name: 'endpoint', label: 'Endpoint', text: (row) => endpointOf(row), key: (row) => addressKey(hostOf(row)) + String(cell(row, 'port')).padStart(5, '0') },
  { name: 'name', label: 'Name' },
  { name: 'service', label: 'Service' },
  { name: 'software', label: 'Software' },
  { name: 'version', label: 'Version' },
  { name: 'trend', label: 'Trend', status: (row) => cell(row, 'trend') },
  { name: 'fields', label: 'What differs', text: (row) => [...fieldsOf(row).map(told), cell(row, 'detail')].filter(Boolean).join('; ') },
];

/** So many endpoints are shown at first: there are machines with thousands. */
const SOME = 50;

function hostPage(host) {
  const here = (hosts.get(host) ?? []).map((index) => rows[index]).sort((one, other) => cell(one, 'port') - cell(other, 'port'));
  const back = make('p', { class: 'back' }, make('a', { href: '#' + (listAddress || home) }, '← All that differs'));
  if (here.length === 0) {
    return [back, make('h2', { tabindex: '-1' }, host), make('p', {}, 'Nothing on this page is of that host.')];
  }
  const worst = here.map((row) => cell(row, 'severity')).sort((one, other) => severities.indexOf(other) - severities.indexOf(one))[0];
  const names = [...new Set(here.map((row) => cell(row, 'name')))].filter((name) => name && name !== host);
  const head = make('header', { class: 'host' }, make('h2', { tabindex: '-1' }, host, ' ', badge(worst)),
    make('p', {}, `${many(here.length, 'endpoint')} that differ${here.length === 1 ? 's' : ''}`, names.length ? ` · ${names.slice(0, 8).join(', ')}${names.length > 8 ? ' …' : ''}` : ''));
  const body = make('div', {}, ...here.slice(0, SOME).map(card));
  const rest = here.slice(SOME);
  const more = rest.length && make('button', { type: 'button', onclick: (event) => { event.target.remove(); body.append(...rest.map(card)); } }, `Show ${many(rest.length, 'more endpoint')}`);
  return [back, head, body, more].filter(Boolean);
}

function card(row) {
  const title = `${cell(row, 'port')} ${cell(row, 'service')}`;
  const software = [cell(row, 'software'), cell(row, 'version')].filter(Boolean).join(' ');
  const kind = cell(row, 'kind');
  return make('article', { class: 'probe', 'aria-label': title },
    make('header', {}, make('h3', {}, title), make('span', { class: 'outcome' }, kind.replace(/_/g, ' ')), make('span', { class: 'software' }, software), badge(cell(row, 'severity'))),
    make('p', {}, [own(meta.kinds, kind), cell(row, 'detail')].filter(Boolean).join('; ')),
    fieldsOf(row).length > 0 && fieldTable(fieldsOf(row), title));
}

function fieldTable(fields, title) {
  const head = ['Field', meta.sides[0], meta.sides[1], 'What it means', 'Severity'].map((name) => make('th', { scope: 'col' }, name));
  const lines = fields.map(([field, from, to, what, severity, trend]) => make('tr', {},
    make('th', { scope: 'row' }, field.replace(/_/g, ' ')), make('td', { class: 'from' }, from), make('td', { class: 'to' }, to),
    make('td', { class: trend }, what === 'other' ? '' : what.replace(/_/g, ' ')), make('td', {}, badge(severity))));
  return make('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `What differs at ${title}` },
    make('table', { class: 'list fields' }, make('thead', {}, make('tr', {}, ...head)), make('tbody', {}, ...lines)));
}
