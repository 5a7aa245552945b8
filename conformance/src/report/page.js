'use strict';
(() => {
  const run = JSON.parse(document.getElementById('data').textContent);
  const matrix = document.getElementById('matrix');
  const detail = document.getElementById('detail');
  const main = document.querySelector('main');
  const search = document.getElementById('search');
  const shown = document.getElementById('shown');
  const PASS = run.verdicts.indexOf('pass');
  const STEP = 60;
  const GLYPHS = { fail: '✗', error: '!', 'unexpected pass': '+', deviation: '≠', blocked: '⊘', pass: '✓', skipped: '…',
    pending: '?', untestable: '∅' };
  const clauseById = new Map(run.clauses.map(clause => [clause.id, clause]));
  const state = { view: 'endpoint', verdicts: new Set(), chosen: null };

  // Elements from a tag, attributes and children; a child that is text stays text.
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === 'onclick') element.addEventListener('click', value);
      else if (value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter(child => child !== null && child !== undefined));
    return element;
  };
  const css = verdict => run.verdicts[verdict].replace(' ', '-');
  const wanted = verdict => verdict >= 0 && (state.verdicts.size === 0 || state.verdicts.has(run.verdicts[verdict]));
  const matches = (needle, ...texts) => needle === '' || texts.some(text => text && text.toLowerCase().includes(needle));
  const needle = () => search.value.trim().toLowerCase();

  // Text with what stands between backquotes as code.
  const prose = text => text.split('`').map((part, at) => at % 2 ? make('code', {}, part) : part);

  // Checks of one endpoint and version that the filters leave.
  const checksOf = (endpoint, column) => {
    const text = needle();
    return run.checks.filter(check => check.endpoint === endpoint && wanted(check.verdicts[column])
      && (matches(text, endpoint, check.name, ...check.clauses) || matches(text, pathOf(endpoint))));
  };
  const byEndpoint = new Map();
  for (const check of run.checks) {
    if (!byEndpoint.has(check.endpoint)) byEndpoint.set(check.endpoint, []);
    byEndpoint.get(check.endpoint).push(check);
  }
  const rowById = new Map(run.endpoints.map(row => [row.id, row]));
  const pathOf = id => rowById.has(id) ? rowById.get(id).method + ' ' + rowById.get(id).path : '';

  const cell = (verdicts, choose, chosen, label) => {
    const left = verdicts.filter(wanted);
    if (left.length === 0) return make('td', { class: 'v' }, make('span', { class: 'none' }, verdicts.length ? '·' : ''));
    const worst = Math.min(...left);
    const count = left.filter(verdict => verdict === worst).length;
    const title = run.verdicts.map((name, at) => [name, left.filter(v => v === at).length])
      .filter(([, n]) => n > 0).map(([name, n]) => n + ' ' + name).join(', ');
    return make('td', { class: 'v ' + css(worst) },
      make('button', { type: 'button', title, 'aria-label': label + ': ' + title, class: chosen ? 'chosen' : null, onclick: choose },
        String(count)));
  };

  const heading = first => make('thead', {}, make('tr', {}, make('th', {}, first),
    ...run.versions.map(version => make('th', { class: 'v' }, version))));

  const drawEndpoints = () => {
    const text = needle();
    const body = make('tbody');
    let group = null, rows = 0;
    const ids = [...run.endpoints.map(row => row.id), ...(byEndpoint.has(null) ? [null] : [])];
    for (const id of ids) {
      const row = rowById.get(id);
      const checks = (byEndpoint.get(id) || []).filter(check =>
        matches(text, id, pathOf(id), check.name, ...check.clauses));
      const columns = run.versions.map((_, column) => checks.map(check => check.verdicts[column]).filter(verdict => verdict >= 0));
      const filtered = text !== '' || state.verdicts.size > 0;
      if (filtered && !columns.some(verdicts => verdicts.some(wanted))) continue;
      const name = id === null ? 'elsewhere' : id.split('.')[0];
      if (name !== group) {
        group = name;
        body.append(make('tr', { class: 'group' }, make('th', { colspan: run.versions.length + 1 }, group)));
      }
      rows += 1;
      body.append(make('tr', {},
        make('th', { scope: 'row', title: id }, row ? make('span', { class: 'method mono' }, row.method) : 'checks of no one endpoint',
          row ? make('span', { class: 'mono' }, row.path) : null),
        ...run.versions.map((version, column) => {
          const lacks = row && !row.versions.includes(column) && columns[column].length === 0;
          if (lacks) return make('td', { class: 'v' }, make('span', { class: 'none', title: 'not in v' + version }, '–'));
          const chosen = state.chosen && state.chosen.endpoint === id && state.chosen.column === column;
          return cell(columns[column], () => choose({ endpoint: id, column }), chosen, (row ? pathOf(id) : 'elsewhere') + ' v' + version);
        })));
    }
    matrix.replaceChildren(make('table', {}, heading('Endpoint'), body));
    shown.textContent = rows + ' of ' + ids.length + ' rows';
  };

  const drawClauses = () => {
    const text = needle();
    const left = run.clauses.filter(clause => clause.verdicts.some(wanted)
      && matches(text, clause.id, clause.text, clause.endpoint));
    const body = make('tbody');
    const more = make('button', { type: 'button', class: 'more' }, '');
    let drawn = 0, group = null;
    const draw = () => {
      for (const clause of left.slice(drawn, drawn + STEP * 4)) {
        const topic = clause.id.replace(/\.\d+$/, '');
        if (topic !== group) {
          group = topic;
          body.append(make('tr', { class: 'group' }, make('th', { colspan: run.versions.length + 1 }, topic + '  ', make('span', { class: 'quiet' }, clause.endpoint))));
        }
        const ruling = clause.ruling ? make('small', { class: 'ruled', title: clause.ruling }, 'documented otherwise: ' + clause.ruling) : null;
        const reason = clause.reason ? make('small', {}, clause.reason) : null;
        body.append(make('tr', { class: 'clause' },
          make('th', { scope: 'row' }, ...prose(clause.text), make('small', { class: 'mono' }, clause.id), ruling, reason),
          ...clause.verdicts.map((verdict, column) => {
            if (verdict < 0) return make('td', { class: 'v' }, make('span', { class: 'none' }, '–'));
            if (!wanted(verdict)) return make('td', { class: 'v' }, make('span', { class: 'none' }, '·'));
            const chosen = state.chosen && state.chosen.clause === clause.id && state.chosen.column === column;
            return make('td', { class: 'v ' + css(verdict) }, make('button', { type: 'button', class: chosen ? 'chosen' : null,
              title: run.verdicts[verdict], 'aria-label': clause.id + ' v' + run.versions[column] + ': ' + run.verdicts[verdict],
              onclick: () => choose({ clause: clause.id, column }) }, GLYPHS[run.verdicts[verdict]]));
          })));
      }
      drawn = Math.min(left.length, drawn + STEP * 4);
      more.hidden = drawn >= left.length;
      more.textContent = 'Show more (' + (left.length - drawn) + ' left)';
    };
    more.addEventListener('click', draw);
    draw();
    matrix.replaceChildren(make('table', {}, heading('Clause'), body), more);
    shown.textContent = left.length + ' of ' + run.clauses.length + ' clauses';
  };

  const command = text => {
    const button = make('button', { type: 'button' }, 'copy');
    button.addEventListener('click', () => {
      const done = () => { button.textContent = 'copied'; setTimeout(() => { button.textContent = 'copy'; }, 1200); };
      const select = () => { getSelection().selectAllChildren(button.previousSibling); document.execCommand('copy'); done(); };
      if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, select); else select();
    });
    return make('div', { class: 'command' }, make('pre', {}, text), button);
  };

  const diff = text => make('pre', {}, ...text.split('\n').map(line =>
    make('span', { class: line.startsWith('-') ? 'del' : line.startsWith('+') ? 'ins' : null }, line + '\n')));

  const section = (title, ...content) => [make('h3', {}, title), ...content];

  const showDetail = told => {
    const parts = [];
    const evidence = told.evidence;
    parts.push(make('p', { class: 'quiet' }, (told.how === 'live' ? 'seen live' : told.how === 'replay' ? 'from recordings' : 'cannot be decided from recordings')
      + ', ' + told.took_ms + ' ms'));
    if (!evidence) return parts;
    if (evidence.expected) parts.push(...section('Expected', make('pre', {}, evidence.expected)));
    if (evidence.differences.length) parts.push(...section('What is wrong', make('ul', { class: 'plain' }, ...evidence.differences.map(line => make('li', {}, line)))));
    if (evidence.diff) parts.push(...section('Expected → received', diff(evidence.diff)));
    if (evidence.exchanges.length) {
      parts.push(make('h3', {}, evidence.exchanges.length === 1 ? 'Exchange' : evidence.exchanges.length + ' exchanges'));
      for (const exchange of evidence.exchanges) {
        const chunks = exchange.chunks.length ? ', chunks of ' + exchange.chunks.join(', ') + ' bytes' : '';
        parts.push(make('div', { class: 'exchange' }, make('span', { class: 'quiet mono' }, exchange.origin + ', ' + exchange.took_ms + ' ms' + chunks),
          make('pre', {}, exchange.request), make('pre', {}, exchange.response)));
      }
    }
    if (evidence.curl) parts.push(...section('The request by hand', command(evidence.curl)));
    if (evidence.repeat) parts.push(...section('Repeat this check', command(evidence.repeat)));
    return parts;
  };

  const fill = (check, column) => {
    const body = make('div', { class: 'body' });
    const told = check.details[column] || [];
    told.forEach((one, at) => {
      if (at > 0) body.append(make('p', { class: 'why' }, run.verdicts[one.verdict] + ': ' + one.reason));
      body.append(...showDetail(one));
    });
    if (check.clauses.length) {
      body.append(...section('Clauses', make('ul', { class: 'plain' }, ...check.clauses.map(id =>
        make('li', {}, make('span', { class: 'mono' }, id), ' ', ...(clauseById.has(id) ? prose(clauseById.get(id).text) : []))))));
    }
    if (check.entries.length) {
      body.append(...section('Entries of the spec', make('ul', { class: 'plain mono' }, ...check.entries.map(entry => make('li', {}, entry)))));
    }
    return body;
  };

  const drawDetail = () => {
    const chosen = state.chosen;
    detail.hidden = !chosen;
    main.classList.toggle('split', Boolean(chosen));
    if (!chosen) { detail.replaceChildren(); return; }
    const { column } = chosen;
    let checks, title, lead = null;
    if (chosen.clause) {
      const clause = clauseById.get(chosen.clause);
      checks = run.checks.filter(check => check.verdicts[column] >= 0 && check.clauses.includes(chosen.clause));
      title = chosen.clause;
      lead = make('p', {}, ...prose(clause.text));
    } else {
      checks = checksOf(chosen.endpoint, column);
      title = chosen.endpoint === null ? 'elsewhere' : pathOf(chosen.endpoint);
    }
    checks.sort((a, b) => a.verdicts[column] - b.verdicts[column] || a.name.localeCompare(b.name));
    const list = make('div');
    const more = make('button', { type: 'button', class: 'more' }, '');
    let drawn = 0;
    const draw = () => {
      for (const check of checks.slice(drawn, drawn + STEP)) {
        const verdict = check.verdicts[column];
        const reason = (check.details[column] || []).map(one => one.reason).find(text => text) || '';
        const one = make('details', { class: 'check' }, make('summary', {},
          make('span', { class: 'mark ' + css(verdict) }, run.verdicts[verdict]),
          make('span', {}, make('span', { class: 'name' }, check.name), reason ? make('div', { class: 'why' }, reason) : null)));
        one.addEventListener('toggle', () => { if (one.open && one.children.length === 1) one.append(fill(check, column)); });
        list.append(one);
      }
      drawn = Math.min(checks.length, drawn + STEP);
      more.hidden = drawn >= checks.length;
      more.textContent = 'Show more (' + (checks.length - drawn) + ' left)';
    };
    more.addEventListener('click', draw);
    draw();
    detail.replaceChildren(
      make('div', { class: 'head' }, make('h2', {}, title, make('span', { class: 'quiet' }, '  v' + run.versions[column])),
        make('button', { type: 'button', class: 'close', 'aria-label': 'Close', onclick: () => choose(null) }, '×')),
      ...(lead ? [lead] : []), make('p', { class: 'quiet' }, checks.length === 0 ? 'No check decides it.' : checks.length + ' checks'), list, more);
    detail.scrollTop = 0;
    const first = list.querySelector('details');
    if (first && checks[0].verdicts[column] < PASS) first.open = true;
  };

  const draw = () => {
    if (state.view === 'endpoint') drawEndpoints(); else drawClauses();
    drawDetail();
    for (const chip of document.querySelectorAll('.chip')) {
      chip.setAttribute('aria-pressed', String(state.verdicts.has(chip.dataset.verdict)));
    }
    document.getElementById('by-endpoint').setAttribute('aria-pressed', String(state.view === 'endpoint'));
    document.getElementById('by-clause').setAttribute('aria-pressed', String(state.view === 'clause'));
  };

  // The address keeps what is looked at, so that a link to it can be passed on.
  const remember = () => {
    const parts = new URLSearchParams();
    if (state.view !== 'endpoint') parts.set('view', state.view);
    if (state.verdicts.size) parts.set('verdict', [...state.verdicts].join(','));
    if (search.value) parts.set('find', search.value);
    if (state.chosen) {
      parts.set('version', run.versions[state.chosen.column]);
      if (state.chosen.clause) parts.set('clause', state.chosen.clause); else parts.set('endpoint', state.chosen.endpoint || '');
    }
    history.replaceState(null, '', '#' + parts);
  };
  const recall = () => {
    const parts = new URLSearchParams(location.hash.slice(1));
    state.view = parts.get('view') === 'clause' ? 'clause' : 'endpoint';
    state.verdicts = new Set((parts.get('verdict') || '').split(',').filter(name => run.verdicts.includes(name)));
    search.value = parts.get('find') || '';
    const column = run.versions.indexOf(parts.get('version'));
    const clause = parts.get('clause');
    state.chosen = column < 0 ? null : clause && clauseById.has(clause) ? { clause, column } : { endpoint: parts.get('endpoint') || null, column };
  };
  const choose = chosen => { state.chosen = chosen; remember(); draw(); };

  for (const chip of document.querySelectorAll('.chip')) {
    chip.addEventListener('click', () => {
      const name = chip.dataset.verdict;
      if (!state.verdicts.delete(name)) state.verdicts.add(name);
      remember();
      draw();
    });
  }
  document.getElementById('by-endpoint').addEventListener('click', () => { state.view = 'endpoint'; choose(null); });
  document.getElementById('by-clause').addEventListener('click', () => { state.view = 'clause'; choose(null); });
  search.addEventListener('input', () => { remember(); draw(); });
  document.addEventListener('keydown', event => { if (event.key === 'Escape') choose(null); });
  addEventListener('hashchange', () => { recall(); draw(); });
  recall();
  draw();
})();
