// One host: each of its endpoints with all that its row says, what is to be mended there and how.

/** So many endpoints are shown at first: there are machines with thousands. */
const SOME = 50;

/** What a person reads first has places of its own; of the rest each column is a line. */
const GROUPS = [
  ['Connection', ['time', 'connect_ms', 'tls_ms', 'greeting_ms', 'ended', 'ended_ms', 'code', 'detail', 'protocol', 'attempts', 'truncated']],
  ['Name', ['name', 'hostname', 'ptr', 'announced_address', 'announced_date', 'client_address']],
  ['Software', ['software', 'version', 'vendor', 'device', 'os', 'cpe', 'confidence', 'banner_hash']],
  ['Offers', ['capabilities', 'auth', 'pasv']],
  ['TLS', ['tls', 'tls_version', 'tls_cipher', 'tls_group', 'tls_error', 'tls_alert', 'tls_legacy', 'tls_asks_for_certificate', 'tls_incomplete']],
  ['Certificate', ['cert_status', 'cert_subject', 'cert_issuer', 'cert_names', 'cert_not_before', 'cert_not_after', 'cert_key', 'cert_signature', 'cert_sha256']],
];

function hostPage(host) {
  const indices = hosts.get(host) ?? [];
  const here = indices.map((index) => rows[index]).sort((one, other) => cell(one, 'port') - cell(other, 'port'));
  const back = make('p', { class: 'back' }, make('a', { href: '#' + (listAddress || home) }, '← All endpoints'));
  if (here.length === 0) {
    return [back, make('h2', { tabindex: '-1' }, host), make('p', {}, 'No row of this page is of that host.')];
  }
  const worst = here.map((row) => cell(row, 'severity')).sort((one, other) => severities.indexOf(other) - severities.indexOf(one))[0];
  const names = [...new Set(here.flatMap((row) => [cell(row, 'name'), cell(row, 'hostname'), ...(cell(row, 'ptr') || [])]))].filter((name) => name && name !== host);
  const head = make('header', { class: 'host' }, make('h2', { tabindex: '-1' }, host, ' ', badge(worst)),
    make('p', {}, many(here.length, 'endpoint'), names.length ? ` · ${names.slice(0, 8).join(', ')}${names.length > 8 ? ' …' : ''}` : ''));
  const cards = here.slice(0, SOME).map(endpointCard);
  const body = make('div', {}, ...cards);
  const rest = here.slice(SOME);
  const more = rest.length && make('button', { type: 'button', onclick: (event) => { event.target.remove(); body.append(...rest.map(endpointCard)); } }, `Show ${many(rest.length, 'more endpoint')}`);
  return [back, head, body, more].filter(Boolean);
}

function endpointCard(row) {
  const title = `${cell(row, 'port')} ${cell(row, 'service')}`;
  const software = [cell(row, 'software'), cell(row, 'version')].filter(Boolean).join(' ');
  const banner = cell(row, 'banner');
  return make('article', { class: 'probe', 'aria-label': title },
    make('header', {}, make('h3', {}, title), make('span', { class: 'outcome' }, cell(row, 'outcome').replace(/_/g, ' ')), make('span', { class: 'software' }, software), badge(cell(row, 'severity'))),
    banner && make('pre', { class: 'banner', tabindex: '0', 'aria-label': 'Greeting' }, lines(banner)),
    ...findingsOf(row),
    ...evidenceOf(row),
    make('div', { class: 'groups' }, ...groups(row)));
}

function groups(row) {
  const others = { ...(cell(row, 'others') || {}) };
  const either = (name) => {
    const value = own(place, name) === undefined ? own(others, name) ?? '' : cell(row, name);
    delete others[name];
    return [name, value];
  };
  const known = GROUPS.map(([label, names]) => group(label, names.map(either)));
  return [...known, group('Else', Object.entries(others))];
}

/** A greeting as lines; its other escapes stay. A backslash of the server's own is two, and ends no line. */
const lines = (banner) => banner.replace(/\\(\\|r\\n|r|n)/g, (all, what) => what === '\\' ? all : '\n').trimEnd();

/** A value for people; an object is told in words. A text is itself: who wrote it does not choose what it is told as. */
function shown(value) {
  if (Array.isArray(value)) return value.map(shown).join(', ');
  if (value && typeof value === 'object') return Object.entries(value).map(([name, inner]) => `${name.replace(/_/g, ' ')}: ${shown(inner)}`).join(', ');
  return value === true ? 'yes' : String(value);
}

function group(label, pairs) {
  const told = pairs.filter(([, value]) => value !== '' && value !== undefined);
  if (told.length === 0) return '';
  return make('section', {}, make('h4', {}, label), make('dl', {}, ...told.map(([name, value]) => make('div', {}, make('dt', {}, name.replace(/_/g, ' ')), make('dd', {}, shown(value))))));
}

function findingsOf(row) {
  const found = [...(cell(row, 'findings') || [])].sort((one, other) => severities.indexOf(other[1]) - severities.indexOf(one[1]));
  return found.map(([id, severity, detail]) => {
    if (severity === '') return make('p', {}, `${id}, which the rows have.`);
    const text = own(meta.findings, id);
    const product = Object.entries(text?.remedy_for ?? {}).find(([name]) => name.toLowerCase() === cell(row, 'software').toLowerCase());
    return make('details', { class: 'finding' },
      make('summary', {}, badge(severity), make('span', { class: 'what' }, make('strong', {}, text?.sentence ?? id), ' ', make('code', {}, id), detail && make('span', { class: 'detail' }, detail))),
      text && make('div', { class: 'body' }, make('h4', {}, 'Why'), make('p', {}, text.why), make('h4', {}, 'Remedy'), make('p', {}, text.remedy),
        product && make('p', { class: 'own' }, make('strong', {}, `${product[0]}: `), product[1]),
        make('h4', {}, 'Check by hand'), ...text.verify.flatMap((check) => [make('pre', {}, [`$ ${filled(check.run, row)}`, ...(check.type ?? []).map((line) => `> ${line}`)].join('\n')), make('p', { class: 'look' }, `Look for ${check.look.replace(/\.$/, '')}.`)]),
        make('p', { class: 'source' }, text.rfc)));
  });
}

/** What a shell takes for one word and no option, whoever gave the name. */
const isName = (name) => /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i.test(name);

/** A command with this endpoint in it, and with the options that fit how TLS begins there and which is spoken. */
function filled(command, row) {
  const [host, service, tls] = [hostOf(row), cell(row, 'service'), cell(row, 'tls')];
  const atOnce = tls === 'implicit' || !['starttls', 'auth_tls'].includes(tls) && ['ftps', 'smtps'].includes(service);
  const name = [cell(row, 'name')].find(isName);
  const told = `${cell(row, 'tls_version')} ${own(cell(row, 'others') || {}, 'tls_legacy') ?? ''}`;
  const old = [['SSLv3', '-ssl3'], ['TLSv1.0', '-tls1'], ['TLSv1.1', '-tls1_1']].find(([version]) => told.includes(version));
  let line = command.replace(/ -starttls (smtp|ftp)/, atOnce ? '' : service.startsWith('ftp') ? ' -starttls ftp' : ' -starttls smtp');
  if (!name) line = line.replace(' -servername NAME', '').replace(' -verify_hostname NAME', '');
  if (old) line = line.replace(/-tls1_[12]\b/, old[1]);
  if (/^[0-9a-f.:]+$/i.test(host)) line = line.replace(/\bHOST(:?)\b/g, (_, colon) => (host.includes(':') && colon ? `[${host}]` : host) + colon);
  line = line.replace(/(?<![A-Z])PORT(?![A-Z])/g, cell(row, 'port'));
  return name ? line.replace(/(?<![A-Z])(NAME|DOMAIN)(?![A-Z])/g, name) : line;
}

function evidenceOf(row) {
  const evidence = cell(row, 'evidence') || [];
  const verdict = cell(row, 'fronting').replace(/_/g, ' ');
  if (evidence.length === 0) return [];
  const front = cell(row, 'front');
  return [make('details', { class: 'finding' },
    make('summary', {}, make('span', { class: 'badge front' }, 'in front'), make('span', { class: 'what' }, make('strong', {}, front ? `${verdict}: ${front}` : verdict), ' ', make('code', {}, evidence.map(([code]) => code).join(', ')))),
    make('div', { class: 'body' }, ...evidence.flatMap(([code, grade, excerpt, ms]) => {
      const text = own(meta.evidence, code);
      return [make('h4', {}, text?.sentence ?? code), make('p', {}, [grade, ms !== '' && `after ${ms} ms`].filter(Boolean).join(', '), excerpt && ': ', excerpt && make('code', {}, excerpt)),
        text && make('p', {}, text.means), text && make('p', {}, text.otherwise), text && make('p', {}, text.do)].filter(Boolean);
    })))];
}
