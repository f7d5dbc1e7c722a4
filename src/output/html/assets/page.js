// What is shown follows the address's fragment: `host=…` is a host, facets and `q` are the table, anything else an anchor.

/** The table's last address, to come back to. */
let listAddress = '';
let isRestoring = false;
let scrolled = 0;
/** Where the table is, and what the page is called. */
const home = grid.closest('section').id;
const title = document.title;

const parameters = () => new URLSearchParams(location.hash.includes('=') ? location.hash.slice(1) : '');

/** Notes in the address what the table shows, without a step in the history for every letter. */
function remember() {
  if (isRestoring) return;
  const said = new URLSearchParams();
  if (state.query) said.set('q', state.query);
  for (const facet of facets) for (const name of facet.chosen) said.append(facet.key, name);
  if (state.sort !== 'severity' || !state.descending) said.set('sort', (state.descending ? '-' : '') + state.sort);
  listAddress = said.toString();
  const address = listAddress ? '#' + listAddress : location.hash.includes('=') ? `#${home}` : location.hash;
  if (address !== location.hash) history.replaceState(null, '', address || ' ');
}

/** Shows what the address says. */
function route() {
  const said = parameters();
  const host = said.get('host');
  const isHost = host !== null;
  const wasHost = !byId('host').hidden;
  if (isHost && !wasHost) scrolled = window.scrollY;
  byId('main').hidden = isHost;
  byId('host').hidden = !isHost;
  document.querySelector('nav').hidden = isHost;
  document.title = isHost ? `${host} – ${title}` : title;
  if (isHost) {
    byId('host').replaceChildren(...hostPage(host));
    window.scrollTo(0, 0);
    byId('host').querySelector('h2').focus();
    return;
  }
  if (wasHost) {
    byId('host').replaceChildren();
    window.scrollTo(0, scrolled);
    draw();
  }
  if (location.hash.includes('=') && said.toString() !== listAddress) {
    restore(said);
    byId(home).scrollIntoView();
  } else if (wasHost && !location.hash.includes('=') && location.hash !== `#${home}`) {
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }
  if (wasHost) grid.focus({ preventScroll: true });
  const details = location.hash.startsWith('#finding-') && document.getElementById(location.hash.slice(1));
  if (details) details.open = true;
}

/** Puts the table as an address says. */
function restore(said) {
  isRestoring = true;
  state.query = said.get('q') ?? '';
  byId('search').value = state.query;
  for (const facet of facets) facet.chosen = new Set(said.getAll(facet.key));
  // What no row of this page has was asked for, too: there is nothing of it, and it can be taken off.
  for (const facet of facets) for (const name of facet.chosen) numberOf(facet, name);
  const sort = said.get('sort') ?? '-severity';
  const name = sort.replace(/^-/, '');
  if (columns.some((column) => column.name === name)) [state.sort, state.descending] = [name, sort.startsWith('-')];
  reorder();
  isRestoring = false;
  remember();
}

function clear() {
  state.query = '';
  byId('search').value = '';
  for (const facet of facets) facet.chosen.clear();
  refresh();
}

function wire() {
  let due;
  byId('search').addEventListener('input', (event) => {
    clearTimeout(due);
    due = setTimeout(() => {
      state.query = event.target.value;
      refresh();
    }, 120);
  });
  byId('search').addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown' || event.key === 'Enter') {
      event.preventDefault();
      grid.focus();
    }
  });
  byId('clear').addEventListener('click', clear);
  byId('facets-toggle').addEventListener('click', (event) => {
    const isOpen = byId('facets').classList.toggle('open');
    event.target.setAttribute('aria-expanded', isOpen);
  });
  document.addEventListener('keydown', (event) => {
    const isTyping = event.target.closest('input:not([type=checkbox]), textarea, select');
    if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      if (!byId('host').hidden) {
        location.hash = listAddress || home;
        route();
      }
      byId('search').focus();
      byId('search').select();
    } else if (event.key === 'Escape') {
      event.preventDefault();
      if (!byId('host').hidden) location.hash = listAddress || home;
      else if (state.query || facets.some((facet) => facet.chosen.size)) clear();
      else document.activeElement.blur();
    }
  });
  window.addEventListener('hashchange', route);
  window.addEventListener('beforeprint', () => document.querySelectorAll('#findings details, #host details').forEach((details) => { details.open = true; }));
}

document.documentElement.classList.add('scripted');
byId('explorer').hidden = false;
setUpGrid();
load((count) => { byId('count').textContent = `${grouped(count)} of ${many(meta.rows, NOUN)} read …`; }).then(() => {
  wire();
  // The address says what is shown before the table says it to the address.
  isRestoring = true;
  reorder();
  isRestoring = false;
  route();
  document.documentElement.dataset.ready = 'true';
  prepare();
});
