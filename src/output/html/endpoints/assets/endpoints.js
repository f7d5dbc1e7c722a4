// The table of endpoints: what it is filtered by, and what it shows.

const NOUN = 'endpoint';

const FACETS = [
  ['severity', 'Worst finding'], ['findings', 'Finding'], ['outcome', 'Outcome'], ['service', 'Service'], ['port', 'Port'],
  ['software', 'Software'], ['version', 'Version'], ['fronting', 'In front'], ['front', 'Front'], ['tls', 'TLS'],
  ['tls_version', 'TLS version'], ['cert_status', 'Certificate'],
];
const OPEN = ['severity', 'findings', 'outcome', 'software'];

/** The texts of a facet that a row has: a list for findings, one for everything else. */
const valuesOf = (row, key) => key === 'findings' ? (cell(row, key) || []).map((finding) => finding[0]) : [String(cell(row, key))];

/** What the table shows; a key decides the order, and of what there is to mend the most comes first. */
const columns = [
  { name: 'severity', label: 'Severity', most: true, key: (row) => severities.indexOf(cell(row, 'severity')) * 1000 + Math.min(999, (cell(row, 'findings') || []).length) },
  { name: 'endpoint', label: 'Endpoint', text: (row) => endpointOf(row), key: (row) => addressKey(hostOf(row)) + String(cell(row, 'port')).padStart(5, '0') },
  { name: 'hostname', label: 'Name', text: (row) => cell(row, 'name') || cell(row, 'hostname') || flat(cell(row, 'ptr')) },
  { name: 'service', label: 'Service' },
  { name: 'outcome', label: 'Outcome', text: (row) => cell(row, 'outcome').replace(/_/g, ' ') },
  { name: 'software', label: 'Software' },
  { name: 'version', label: 'Version' },
  { name: 'fronting', label: 'In front', text: (row) => cell(row, 'front') || (cell(row, 'fronting') === 'not_observed' ? '' : cell(row, 'fronting')) },
  { name: 'tls_version', label: 'TLS', text: (row) => cell(row, 'tls_version') || cell(row, 'tls').replace(/_/g, ' ') },
  { name: 'cert_not_after', label: 'Certificate', text: (row) => cell(row, 'cert_not_after').slice(0, 10), status: (row) => certificateClass(row), word: (row) => own({ bad: 'expired', warn: 'expires soon' }, certificateClass(row)) },
  { name: 'findings', label: 'Findings', most: true, text: (row) => valuesOf(row, 'findings').join(', '), key: (row) => (cell(row, 'findings') || []).length },
];

function certificateClass(row) {
  if (cell(row, 'cert_not_after') === '') return '';
  const days = (Date.parse(cell(row, 'cert_not_after')) / 1000 - meta.now) / 86400;
  return days < 0 ? 'bad' : days <= 30 ? 'warn' : '';
}
