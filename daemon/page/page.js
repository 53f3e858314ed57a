// The status page.  Everything it shows was written by somebody else, attackers included: it goes
// into the document as text, never as markup.
'use strict';

const POLL_MS = 3000;
const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'];
const SVG = 'http://www.w3.org/2000/svg';
const $ = (id) => document.getElementById(id);

let policy = {rules: [], systems: []};
let metrics = null;    // of the latest scrape
let previous = null;   // of the one before
let incidents = {incidents: [], left_out: 0};
let findings = [];
let selected = '';
const seen = new Set();

// ---------------------------------------------------------------- the document

// Marks that change the order or the look of what stands around them, or cannot be seen, are shown
// as what they are.
function visible(child) {
  return typeof child !== 'string' ? child : child.replace(
    /[\p{Cc}\p{Cf}\p{Co}\u2028\u2029\u115f\u1160\u3164\uffa0]/gu, (mark) => `\\u{${mark.codePointAt(0).toString(16)}}`);
}

// An element: attributes by name, `class` included; children are nodes or texts.
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined).map(visible));
  return element;
}

function draw(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, visible(value));
  element.append(...children.map(visible));
  return element;
}

function severity(name) {
  const known = SEVERITIES.includes(name) ? name : 'info';
  return make('span', {class: `severity ${known}`}, known);
}

function incident_link(id, text) {
  return make('a', {href: `/incidents/${encodeURIComponent(id)}`, class: 'id'}, text);
}

// ---------------------------------------------------------------- words

function span_text(seconds) {
  if (!Number.isFinite(seconds)) return 'unknown';
  if (seconds < 0) seconds = 0;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

function number_text(value) {
  if (!Number.isFinite(value)) return '–';
  return value >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString('en') : value.toFixed(1);
}

const seconds_of = (time) => Date.parse(time) / 1000;
const now = () => Date.now() / 1000;
const clock_text = (time) => new Date(time).toISOString().slice(11, 19);
const plural = (count, word) => `${number_text(count)} ${word}${count === 1 ? '' : 's'}`;

// ---------------------------------------------------------------- metrics

// The Prometheus text format, as far as tocsin writes it.
function parse_metrics(text) {
  const series = new Map();
  const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!match) continue;
    const labels = {};
    for (const [, key, value] of (match[2] || '').matchAll(label)) {
      labels[key] = value.replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c));
    }
    if (!series.has(match[1])) series.set(match[1], []);
    series.get(match[1]).push({labels, value: Number(match[3].replace('Inf', 'Infinity'))});
  }
  return {at: now(), series};
}

function select(scrape, name, wanted = {}) {
  const all = (scrape && scrape.series.get(name)) || [];
  return all.filter(({labels}) => Object.entries(wanted).every(([key, value]) => labels[key] === value));
}

const total = (scrape, name, wanted) => select(scrape, name, wanted).reduce((sum, {value}) => sum + value, 0);

function rate(name, wanted) {
  if (!previous) return NaN;
  const gained = total(metrics, name, wanted) - total(previous, name, wanted);
  return Math.max(0, gained) / Math.max(0.001, metrics.at - previous.at);
}

// ---------------------------------------------------------------- what is shown

function filter_words() {
  return $('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
}

function passes(...texts) {
  const all = texts.join(' ').toLowerCase();
  return filter_words().every((word) => all.includes(word));
}

const is_open = (incident) => incident.state === 'open';

function incident_text(incident) {
  const parts = [incident.incident_id, incident.system, incident.state, incident.severity, incident.owner];
  for (const rule of incident.rules || []) parts.push(rule.rule);
  for (const session of incident.sessions || []) parts.push(session.session_id);
  return parts.join(' ');
}

function show_verdict() {
  const open = incidents.incidents.filter(is_open);
  const worst = SEVERITIES.find((name) => open.some((incident) => incident.severity === name));
  const verdict = $('verdict');
  if (!open.length) {
    verdict.className = 'good';
    verdict.textContent = 'No open incident in the partitions of this process';
    return;
  }
  const first = Math.min(...open.filter((incident) => incident.severity === worst)
    .map((incident) => seconds_of(incident.first_misuse)));
  const count = open.filter((incident) => incident.severity === worst).length;
  verdict.className = worst;
  verdict.textContent = `${plural(open.length, 'open incident')}, ${number_text(count)} ${worst}, ` +
    `the first ${span_text(now() - first)} ago`;
}

function tile(name, value, kind) {
  return make('div', {}, make('dt', {}, name), make('dd', {class: kind}, value));
}

function show_numbers() {
  const lag = total(metrics, 'tocsin_kafka_lag');
  const [last] = select(metrics, 'tocsin_selftest_last_success_timestamp_seconds');
  const selftest = last && last.value > 0 ? now() - last.value : NaN;
  const open = incidents.incidents.filter(is_open);
  const count = (name) => open.filter((incident) => incident.severity === name).length;
  $('numbers').replaceChildren(
    tile('events a second', number_text(rate('tocsin_events_total'))),
    tile('tool calls a second', number_text(rate('tocsin_tool_calls_total'))),
    tile('findings a minute', number_text(rate('tocsin_findings_total') * 60)),
    tile('open, critical', number_text(count('critical')), count('critical') ? 'critical' : ''),
    tile('open, high', number_text(count('high')), count('high') ? 'high' : ''),
    tile('live sessions', number_text(total(metrics, 'tocsin_sessions_live'))),
    tile('records not read yet', number_text(lag), lag > 10000 ? 'bad' : ''),
    tile('last self-test', Number.isFinite(selftest) ? `${span_text(selftest)} ago` : 'none',
      selftest < 120 ? 'good' : 'bad'));
  show_blind(selftest, lag);
}

// What cannot be seen right now: silence is worth something only when this list is empty.
function show_blind(selftest, lag) {
  const said = [];
  const tell = (text) => said.push(make('li', {}, text));
  if (!(selftest < 120)) tell('No self-test came through all stages within two minutes: events may not be looked at.');
  if (!total(metrics, 'tocsin_kafka_assigned_partitions', {stage: 'events'})) {
    tell('This process has no partition of events: others may have them.');
  }
  if (lag > 10000) tell(`${number_text(lag)} records are not read yet: what is in them is not found yet.`);
  const dropped = total(metrics, 'tocsin_events_dropped_total');
  if (dropped) tell(`${plural(dropped, 'event')} dropped and never looked at.`);
  for (const {labels, value} of select(metrics, 'tocsin_events_rejected_total')) {
    if (value) tell(`${plural(value, 'record')} of ${labels.topic} were no events: ${labels.reason}.`);
  }
  for (const {labels, value} of select(metrics, 'tocsin_content_coverage_ratio')) {
    if (value < 0.995) tell(`${labels.system}: the arguments of ${(100 * (1 - value)).toFixed(1)} % of its tool calls are not told.`);
  }
  for (const {labels, value} of select(metrics, 'tocsin_sessions_evicted_total')) {
    if (value && labels.reason === 'memory') tell(`${plural(value, 'session')} forgotten for want of memory.`);
  }
  for (const {labels, value} of select(metrics, 'tocsin_rule_demoted')) {
    if (value) tell(`${labels.rule} is demoted (${labels.reason}).`);
  }
  if (!said.length) said.push(make('li', {class: 'good'}, 'Nothing is known that could not be seen.'));
  $('blind').replaceChildren(...said);
}

function clock_cells(incident) {
  const from = seconds_of(incident.first_misuse);
  const after = (time) => (time ? span_text(seconds_of(time) - from) : '–');
  const contained = incident.contained ? after(incident.contained)
    : is_open(incident) ? `${span_text(now() - from)} and counting` : '–';
  return [make('td', {class: 'number'}, after(incident.detected)),
    make('td', {class: 'number'}, incident.acknowledged ? after(incident.acknowledged.time) : '–'),
    make('td', {class: `number ${is_open(incident) ? 'bad' : ''}`}, contained)];
}

function head(...names) {
  return make('thead', {}, make('tr', {}, ...names.map(([name, kind]) => make('th', {scope: 'col', class: kind}, name))));
}

function shown_incidents() {
  const order = (incident) => [is_open(incident) ? 0 : 1, SEVERITIES.indexOf(incident.severity)];
  return incidents.incidents.filter((incident) => incident.state !== 'merged' && passes(incident_text(incident)))
    .sort((a, b) => order(a)[0] - order(b)[0] || order(a)[1] - order(b)[1] ||
      seconds_of(b.last_misuse) - seconds_of(a.last_misuse));
}

function show_incidents() {
  const rows = shown_incidents().slice(0, 200).map((incident) => make('tr',
    {'data-id': incident.incident_id, 'aria-selected': incident.incident_id === selected ? 'true' : 'false'},
    make('td', {}, severity(incident.severity)),
    make('td', {}, incident_link(incident.incident_id, incident.incident_id.slice(0, 12))),
    make('td', {}, incident.system),
    make('td', {}, incident.state + (incident.reopened ? `, reopened ${incident.reopened}×` : '')),
    make('td', {}, clock_text(incident.first_misuse)),
    ...clock_cells(incident),
    make('td', {class: 'number'}, number_text(incident.findings)),
    make('td', {}, incident.owner || 'nobody')));
  $('incidents').replaceChildren(
    head(['Severity'], ['Incident'], ['System'], ['State'], ['First misuse, UTC'], ['Detected', 'number'],
      ['Acknowledged', 'number'], ['Contained', 'number'], ['Findings', 'number'], ['Owner']),
    make('tbody', {}, ...rows));
  const left = incidents.left_out ? `  ${plural(incidents.left_out, 'older one')} not shown.` : '';
  $('incidents-note').textContent = (rows.length
    ? 'Of this process’s partitions; clocks run from the first misuse, in event time.'
    : 'None, or none that the filter lets through.') + left;
}

function show_findings() {
  const items = findings.filter((finding) => passes(finding.system, finding.rule, finding.session_id, finding.title,
    finding.tool || '', finding.severity)).slice(0, 60).map((finding) => {
    const fresh = seen.size > 0 && !seen.has(finding.finding_id);
    const item = make('li', {class: fresh ? 'new' : undefined},
      make('p', {}, severity(finding.severity), ' ', make('strong', {}, finding.title)),
      make('p', {class: 'where'}, `${clock_text(finding.time)}  ${finding.system}  ${finding.type} ${finding.tool || ''}  `,
        make('code', {}, finding.rule), '  session ', make('code', {}, finding.session_id), '  ',
        finding.incident_id ? incident_link(finding.incident_id, `incident ${finding.incident_id.slice(0, 12)}`) : ''));
    if (finding.message) item.append(make('p', {}, finding.message));
    for (const evidence of finding.evidence || []) {
      const origin = evidence.origin ? `, from ${evidence.origin.tool || 'an earlier event'} (seq ${evidence.origin.seq})` : '';
      item.append(make('p', {class: 'where'}, `${evidence.field}: `, make('code', {}, evidence.excerpt), origin));
    }
    return item;
  });
  for (const finding of findings) seen.add(finding.finding_id);
  $('findings').replaceChildren(...items);
}

function show_rules() {
  const by_rule = (name) => {
    const map = new Map();
    for (const {labels, value} of select(metrics, name)) map.set(labels.rule, (map.get(labels.rule) || 0) + value);
    return map;
  };
  // A detector tells some of its rules at several severities.
  const key = (rule, severity_name) => `${rule} ${severity_name}`;
  const found = new Map();
  for (const {labels, value} of select(metrics, 'tocsin_findings_total')) {
    const name = key(labels.rule, labels.severity);
    found.set(name, (found.get(name) || 0) + value);
  }
  const found_by = (rule) => found.get(key(rule.id, rule.severity)) || 0;
  const last = by_rule('tocsin_rule_last_match_timestamp_seconds');
  const precision = by_rule('tocsin_rule_precision_ratio');
  const cost = by_rule('tocsin_rule_seconds_total');
  const rules = policy.rules.filter((rule) => passes(rule.id, rule.title, rule.severity, rule.category, rule.detector));
  const spoke = rules.filter(found_by);
  const searching = filter_words().length > 0;
  const shown = (searching ? rules : spoke).sort((a, b) => (last.get(b.id) || 0) - (last.get(a.id) || 0)).slice(0, 100);
  $('rules').replaceChildren(
    head(['Severity'], ['Rule'], ['Title'], ['Findings', 'number'], ['Last match'], ['Precision', 'number'], ['Cost', 'number']),
    make('tbody', {}, ...shown.map((rule) => make('tr', {},
      make('td', {}, severity(rule.severity)),
      make('td', {}, make('code', {}, rule.id)),
      make('td', {}, rule.title),
      make('td', {class: 'number'}, number_text(found_by(rule))),
      make('td', {}, last.get(rule.id) ? `${span_text(now() - last.get(rule.id))} ago` : 'never'),
      make('td', {class: 'number'}, precision.get(rule.id) >= 0 ? `${Math.round(100 * precision.get(rule.id))} %` : '–'),
      make('td', {class: 'number'}, cost.has(rule.id) ? `${(1000 * cost.get(rule.id)).toFixed(1)} ms` : '–')))));
  $('rules-note').textContent = searching
    ? `${plural(rules.length, 'rule')} of ${policy.rules.length}.`
    : `${plural(policy.rules.length, 'rule')} loaded; those that found something since the start, ${spoke.length}, are below.  Filter to see others.`;
}

function show_sources() {
  const rows = select(metrics, 'tocsin_kafka_lag')
    .sort((a, b) => a.labels.topic.localeCompare(b.labels.topic) || a.labels.partition - b.labels.partition)
    .map(({labels, value}) => make('tr', {}, make('td', {}, labels.topic), make('td', {class: 'number'}, labels.partition),
      make('td', {class: 'number'}, number_text(value))));
  $('sources').replaceChildren(head(['Topic'], ['Partition', 'number'], ['Not read yet', 'number']), make('tbody', {}, ...rows));
}

// ---------------------------------------------------------------- one incident

const wanted = /^\/incidents\/([\w.-]+)$/.exec(location.pathname);

function shorten(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

// The causal chain, the earliest first: an edge leads from the event a step came from.
function chain_picture(incident) {
  const steps = incident.chain || [];
  const row = 46, left = 150, width = 940;
  const from = seconds_of(incident.first_misuse);
  const y = (index) => 26 + index * row;
  const at = new Map(steps.map((step, index) => [step.event_id, index]));
  const edges = [], nodes = [];
  steps.forEach((step, index) => {
    const known = SEVERITIES.includes(step.severity) ? step.severity : 'info';
    if (index) edges.push(draw('path', {class: 'edge', d: `M ${left} ${y(index - 1) + 9} V ${y(index) - 9}`}));
    if (step.origin) {
      const source = at.get(step.origin.event_id);
      if (source !== undefined && source < index) {
        edges.push(draw('path', {class: 'edge', 'marker-end': 'url(#arrow)',
          d: `M ${left - 8} ${y(source)} C ${left - 60} ${y(source)}, ${left - 60} ${y(index)}, ${left - 10} ${y(index)}`}));
      } else {
        nodes.push(draw('rect', {class: 'origin', x: 4, y: y(index) + 4, width: 118, height: 18, rx: 5}),
          draw('text', {class: 'soft', x: 10, y: y(index) + 17}, `from ${shorten(step.origin.tool || 'earlier', 15)}`));
        edges.push(draw('path', {class: 'edge', 'marker-end': 'url(#arrow)',
          d: `M 122 ${y(index) + 13} L ${left - 9} ${y(index) + 3}`}));
      }
    }
    nodes.push(draw('circle', {class: `node ${known}`, cx: left, cy: y(index), r: 8}),
      draw('text', {class: 'soft', x: 6, y: y(index) - 2}, `+${span_text(seconds_of(step.time) - from)}`),
      draw('text', {x: left + 18, y: y(index) - 2}, shorten(step.title, 105)),
      draw('text', {class: 'soft', x: left + 18, y: y(index) + 14},
        shorten(`${step.type} ${step.tool || ''}  ${step.rule}  session ${step.session_id}` +
          (step.targets ? `  to ${step.targets.map((target) => `${target.kind} ${target.hash.slice(-6)}`).join(', ')}` : ''), 120)));
  });
  const arrow = draw('marker', {id: 'arrow', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto'},
    draw('path', {class: 'edge', d: 'M 1 1 L 7 4 L 1 7'}));
  return draw('svg', {role: 'img', 'aria-label': `Causal chain: ${steps.map((step) => `${step.title}, ${step.tool || step.type}`).join('; then ')}`,
    viewBox: `0 0 ${width} ${Math.max(60, steps.length * row + 10)}`}, draw('defs', {}, arrow), ...edges, ...nodes);
}

function names_of(touched) {
  if (!touched || !touched.names.length) return 'none';
  return touched.names.join(', ') + (touched.more ? ` and ${touched.more} more` : '');
}

function show_one(incident) {
  const from = seconds_of(incident.first_misuse);
  const clock = (name, time, by) => make('li', {}, name, make('strong', {}, time ? span_text(seconds_of(time) - from) : 'not yet'),
    by ? `by ${by}` : time ? `${clock_text(time)} UTC` : '');
  const profile = policy.systems.find((each) => each.system === incident.system);
  const blast = incident.blast_radius || {};
  const fact = (name, ...value) => [make('dt', {}, name), make('dd', {}, ...value)];
  const clocks = [make('li', {}, 'First misuse', make('strong', {}, clock_text(incident.first_misuse)), 'UTC'),
    clock('Detected', incident.detected),
    clock('Acknowledged', incident.acknowledged && incident.acknowledged.time, incident.acknowledged && incident.acknowledged.by),
    clock('Contained', incident.contained), clock('Last misuse', incident.last_misuse)];
  if (incident.ended) clocks.push(clock('Ended', incident.ended));
  const said = [];
  for (const each of incident.containments || []) {
    said.push(make('li', {}, `${clock_text(each.time)} UTC: ${each.action} ${each.outcome}, by ${each.by}`));
  }
  for (const each of incident.requests || []) said.push(make('li', {}, `${clock_text(each.time)} UTC: asked for ${each.action}: ${each.state}`));
  for (const each of incident.verdicts || []) said.push(make('li', {}, `${clock_text(each.time)} UTC: ${each.verdict}, by ${each.by}`));
  document.title = `${incident.severity} ${incident.state}: ${incident.system} – tocsin`;
  $('one').replaceChildren(
    make('h2', {id: 'one-title'}, severity(incident.severity), ` ${incident.state}: ${incident.system}`),
    make('ul', {class: 'clocks', 'aria-label': 'Clocks, from the first misuse'}, ...clocks),
    make('dl', {},
      ...fact('Incident', make('code', {}, incident.incident_id)),
      ...fact('Owner', `${incident.owner || 'nobody'}${profile && profile.contact ? `, ${profile.contact}` : ''}`),
      ...fact('Escalation', (incident.escalation || []).join(' → ') || 'none'),
      ...fact('Findings', `${incident.findings}, and ${incident.context} of context; reopened ${incident.reopened}×`),
      ...fact('Sessions', (incident.sessions || []).map((session) => session.session_id).join(', ')),
      ...fact('Tenants', names_of(blast.tenants)), ...fact('Tools', names_of(blast.tools)),
      ...fact('Destinations', names_of(blast.destinations))),
    make('h3', {}, 'Causal chain'), chain_picture(incident),
    make('h3', {}, 'What was done'),
    said.length ? make('ul', {}, ...said) : make('p', {class: 'note'}, 'Nothing yet.'),
    make('p', {}, make('a', {href: '/'}, 'All incidents')));
  $('one').hidden = false;
}

function show_missing(id) {
  $('one').replaceChildren(make('h2', {id: 'one-title'}, 'Not here'),
    make('p', {}, 'Incident ', make('code', {}, id), ' is not in the partitions of this process.  It may be another process’s, or ',
      'long over: the topic of incidents has it under its id.'),
    make('p', {}, make('a', {href: '/'}, 'All incidents')));
  $('one').hidden = false;
}

// ---------------------------------------------------------------- life

function show() {
  if (!metrics) return;
  show_verdict();
  show_numbers();
  show_incidents();
  show_findings();
  show_rules();
  show_sources();
  $('about').textContent = `tocsin ${policy.version || ''}, rules ${(policy.sha256 || '').slice(0, 12)}, ` +
    `${plural(policy.systems.length, 'system')} with a profile; read ${new Date().toISOString().slice(11, 19)} UTC.`;
}

async function get(path, as_text) {
  const answer = await fetch(path, {cache: 'no-store', signal: AbortSignal.timeout(8000)});
  if (!answer.ok && answer.status !== 404) throw new Error(`${path}: ${answer.status}`);
  if (answer.status === 404) return null;
  return as_text ? answer.text() : answer.json();
}

async function poll() {
  try {
    const one = wanted ? get(`/api/v1/incidents/${wanted[1]}`) : null;
    const [text, known, recent, rules] = await Promise.all([
      get('/metrics', true), get('/api/v1/incidents'), get('/api/v1/findings'), get('/api/v1/policy')]);
    previous = metrics;
    metrics = parse_metrics(text);
    incidents = known;
    findings = recent.findings;
    policy = rules;
    show();
    if (wanted) {
      const incident = await one;
      if (incident) show_one(incident); else show_missing(wanted[1]);
    }
  } catch (error) {
    $('verdict').className = 'bad';
    $('verdict').textContent = `tocsin does not answer: ${error.message}`;
  }
  setTimeout(poll, POLL_MS);
}

function move(by) {
  const ids = shown_incidents().map((incident) => incident.incident_id);
  if (!ids.length) return;
  const at = ids.indexOf(selected);
  selected = ids[Math.min(ids.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  show_incidents();
  const row = $('incidents').querySelector('tr[aria-selected="true"]');
  if (row) row.scrollIntoView({block: 'nearest'});
}

function change_theme() {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const current = document.documentElement.dataset.theme || (dark ? 'dark' : 'light');
  const next = current === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset.theme = next;
  localStorage.setItem('theme', next);
}

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target === $('filter');
  if (event.key === 'Escape') {
    if (typing) {
      $('filter').value = '';
      $('filter').blur();
      show();
    } else if (wanted) {
      location.assign('/');
    }
  } else if (typing) {
    return;
  } else if (event.key === '/') {
    event.preventDefault();
    $('filter').focus();
  } else if (event.key === 'j' || event.key === 'k') {
    move(event.key === 'j' ? 1 : -1);
  } else if (event.key === 'Enter' && selected && event.target === document.body) {
    location.assign(`/incidents/${encodeURIComponent(selected)}`);
  } else if (event.key === 't') {
    change_theme();
  }
});
$('theme').addEventListener('click', change_theme);
$('filter').addEventListener('input', () => {
  history.replaceState(null, '', $('filter').value ? `?q=${encodeURIComponent($('filter').value)}` : location.pathname);
  show();
});
const theme = localStorage.getItem('theme');
if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
$('filter').value = new URLSearchParams(location.search).get('q') || '';
poll();
