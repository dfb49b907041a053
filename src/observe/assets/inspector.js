// The inspector's page. Every value that it shows comes from others, so it is only ever written as text.

const SLOW_MS = 1000
const MOST_ROWS = 200
const COLOURS = ['token', 'user', 'wait', 'dynamics', 'gateway', 'body']

const byId = (id) => document.getElementById(id)
const rows = byId('rows')
const detail = byId('detail')

/** Newest first. */
let requests = []
let selected
let awaited
let captureTimer

/** An element with text and other elements inside, and nothing that is parsed. */
function el(tag, properties = {}, ...children) {
  const { dataset = {}, style = {}, ...rest } = properties
  const element = Object.assign(document.createElement(tag), rest)
  Object.assign(element.dataset, dataset)
  Object.assign(element.style, style)
  element.append(...children.filter((child) => child !== undefined))
  return element
}

const filters = { errors: false, slow: false, caller: '', user: '', entitySet: '', search: '' }

function passes(request) {
  if (filters.errors && request.status < 400) return false
  if (filters.slow && request.ms < SLOW_MS) return false
  for (const name of ['caller', 'user', 'entitySet']) {
    if (filters[name] !== '' && userOr(request, name) !== filters[name]) return false
  }
  const wanted = filters.search.trim().toLowerCase()
  return wanted === '' || `${request.path} ${request.code ?? ''} ${request.id}`.toLowerCase().includes(wanted)
}

function userOr(request, name) {
  return name === 'user' ? (request.user ?? 'nobody') : request[name]
}

function kindOf(status) {
  if (status >= 500 || status === 499) return 'bad'
  if (status >= 400) return 'warn'
  return status >= 300 ? 'info' : 'good'
}

function milliseconds(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms >= 10_000 ? 0 : 1)} s`
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`
}

function rowOf(request, isNew) {
  const { number, method, path, status, ms, code, caller, user, at } = request
  const row = el(
    'button',
    { type: 'button', className: isNew ? 'row new' : 'row', dataset: { number: String(number) } },
    el('span', { className: `badge ${kindOf(status)}` }, String(status)),
    el('span', { className: 'method' }, method),
    el('span', { className: 'path', title: path }, path),
    el('span', { className: 'ms' }, milliseconds(ms)),
    el(
      'span',
      { className: 'sub' },
      el('time', {}, new Date(at).toLocaleTimeString()),
      ...(code === undefined ? [] : [' · ', el('span', { className: 'code' }, code)]),
      ` · ${caller} · ${user ?? 'nobody'}`,
    ),
  )
  if (number === selected) row.setAttribute('aria-current', 'true')
  return el('li', {}, row)
}

/** Shows the list again. The row that has the focus keeps it. */
function showList(newer = new Set()) {
  const focused = document.activeElement?.dataset?.number
  const shown = requests.filter(passes)
  rows.replaceChildren(...shown.map((request) => rowOf(request, newer.has(request.number))))
  if (focused !== undefined) rowWith(focused)?.focus({ preventScroll: true })
  for (const name of ['caller', 'user', 'entitySet']) showChoices(name)
  showNone(shown.length)
}

function showNone(count) {
  const none = byId('none')
  if (count > 0) return none.replaceChildren()
  if (requests.length > 0) return none.replaceChildren(el('p', {}, 'No request matches these filters.'))
  none.replaceChildren(
    el('p', {}, 'No requests yet. Send one through the gateway, and it appears here:'),
    el('pre', {}, `curl ${location.origin}/WhoAmI`),
  )
}

/** The options of a filter: what the rows have. */
function showChoices(name) {
  const select = byId(name)
  const values = [...new Set(requests.map((request) => userOr(request, name)))].sort()
  if (filters[name] !== '' && !values.includes(filters[name])) values.push(filters[name])
  if (
    [...select.options]
      .slice(1)
      .map(({ value }) => value)
      .join('\n') === values.join('\n')
  )
    return
  select.replaceChildren(select.options[0], ...values.map((value) => el('option', { value }, value)))
  select.value = filters[name]
}

function rowWith(number) {
  return rows.querySelector(`[data-number="${Number(number)}"]`)
}

async function open(number) {
  selected = number
  for (const row of rows.querySelectorAll('[aria-current]')) row.removeAttribute('aria-current')
  rowWith(number)?.setAttribute('aria-current', 'true')
  const response = await fetch(`/-/inspector/requests/${number}`)
  const request = response.ok ? await response.json() : undefined
  if (selected !== number) return
  document.body.classList.add('opened')
  detail.replaceChildren(
    ...(request === undefined
      ? [el('p', { className: 'empty' }, 'Newer requests have displaced this one.')]
      : shownIn(request)),
  )
  detail.scrollTop = 0
}

function close() {
  const last = selected
  selected = undefined
  document.body.classList.remove('opened')
  for (const row of rows.querySelectorAll('[aria-current]')) row.removeAttribute('aria-current')
  showHint()
  rowWith(last)?.focus()
}

function showHint() {
  const key = (text) => el('kbd', {}, text)
  detail.replaceChildren(
    el(
      'div',
      { className: 'empty keys' },
      el(
        'p',
        {},
        'Choose a request to see who called, as which user it ran, where its time went, and, if it failed, the fix.',
      ),
      el('p', {}, key('↑'), ' ', key('↓'), ' move · ', key('Enter'), ' open · ', key('Esc'), ' close'),
      el('p', {}, key('e'), ' errors · ', key('s'), ' slow · ', key('/'), ' search · ', key('c'), ' copy as curl'),
    ),
  )
}

function shownIn(request) {
  const { method, path, status, ms, at, explanation, facts, attempts, captured } = request
  return [
    el(
      'div',
      { className: 'title' },
      el('span', { className: `badge ${kindOf(status)}` }, String(status)),
      el('strong', {}, `${method} ${captured?.target ?? path}`),
      el('span', { className: 'soft' }, `${new Date(at).toLocaleTimeString()} · ${milliseconds(ms)}`),
    ),
    toolsFor(request),
    explanation === undefined ? undefined : whyCard(request.code, explanation),
    timesCard(request),
    card('Caller and user', factList(facts)),
    attempts.length === 0 ? undefined : card('Waits and attempts', steps(attempts)),
    card('Request', ...nameList(request.requestHeaders, captured?.headers), bodyOf(captured?.requestBody)),
    card(
      request.responder === 'Dynamics' ? 'Response of Dynamics' : 'Response of the gateway',
      ...nameList(request.responseHeaders),
      bodyOf(captured?.responseBody),
    ),
  ].filter((part) => part !== undefined)
}

function card(heading, ...children) {
  return el('section', { className: 'card' }, el('h2', {}, heading), ...children)
}

function whyCard(code, { what, why, todo, says }) {
  const section = card('Why', el('p', {}, el('b', {}, what)), el('p', {}, why))
  section.classList.add('why')
  if (code !== undefined) section.append(el('p', { className: 'mono soft' }, code))
  if (says !== undefined) section.append(el('p', { className: 'soft' }, says))
  section.append(el('p', { className: 'fix' }, el('b', {}, 'The fix'), todo))
  return section
}

function timesCard({ times, ms }) {
  const all = Math.max(
    times.reduce((sum, [, part]) => sum + part, 0),
    0.001,
  )
  const bar = el('div', { className: 'bar' })
  bar.setAttribute('aria-hidden', 'true')
  const legend = el('ul', { className: 'legend' })
  for (const [name, part] of times) {
    if (part === 0) continue
    const colour = COLOURS.includes(name) ? `bar-${name}` : ''
    bar.append(el('span', { className: colour, style: { width: `${(100 * part) / all}%` } }))
    legend.append(el('li', {}, el('i', { className: colour }), `${name} ${milliseconds(part)}`))
  }
  return card(`Where the time went: ${milliseconds(ms)}`, bar, legend)
}

function factList(facts) {
  return el('dl', {}, ...facts.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]))
}

function steps(attempts) {
  return el(
    'ol',
    { className: 'steps' },
    ...attempts.map(({ at, what, ms }) =>
      el(
        'li',
        {},
        el('span', { className: 'at' }, `+${milliseconds(at)}`),
        el('span', {}, what),
        el('span', { className: 'at' }, ms === undefined ? '' : milliseconds(ms)),
      ),
    ),
  )
}

/** Names of headers; with their values where those were captured. */
function nameList(names, lines = []) {
  const values = lines.length === 0 ? [] : [el('pre', {}, lines.map(([name, value]) => `${name}: ${value}`).join('\n'))]
  return [...values, el('div', { className: 'names' }, ...names.map((name) => el('code', {}, name)))]
}

function bodyOf(text) {
  if (text === undefined) return undefined
  let shown = text
  try {
    shown = JSON.stringify(JSON.parse(text), undefined, 2)
  } catch {
    // Not JSON, or cut.
  }
  return el('pre', {}, shown)
}

function toolsFor({ curl, curlIsComplete, again }) {
  const copy = el('button', { type: 'button', id: 'copy' }, 'Copy as curl')
  copy.addEventListener('click', () => copyText(curl, curlIsComplete))
  const send = el('button', { type: 'button', id: 'again' }, 'Send again')
  send.disabled = again === undefined
  send.title =
    again === undefined ? 'For reads whose values were captured, or that have none, and that need no key' : ''
  send.addEventListener('click', () => void sendAgain(again))
  return el('div', { className: 'tools' }, copy, send)
}

async function copyText(text, isComplete) {
  try {
    await navigator.clipboard.writeText(text)
    toast(isComplete ? 'Copied.' : 'Copied. Values are blanked: capture them for a complete line.')
  } catch {
    // Without TLS a browser lets only loopback write to the clipboard.
    detail.querySelector('.tools').after(el('pre', { id: 'line' }, text))
    toast('The browser does not allow access to the clipboard: copy the line below.')
  }
}

async function sendAgain({ method, target, headers }) {
  try {
    const response = await fetch(target, { method, headers, cache: 'no-store' })
    awaited = response.headers.get('x-request-id') ?? undefined
    await response.arrayBuffer()
    const found = requests.find(({ id }) => id === awaited)
    if (found !== undefined) openAwaited(found)
  } catch {
    toast('The request could not be sent.')
  }
}

function openAwaited({ number }) {
  awaited = undefined
  void open(number)
}

function toast(text) {
  byId('toast').textContent = text
  clearTimeout(toast.timer)
  toast.timer = setTimeout(() => byId('toast').replaceChildren(), 4000)
}

/** Takes what the stream says. */
function take({ rows: arrived, cleared, capturesUntil }) {
  const last = requests[0]?.number ?? 0
  // A gateway that was started again counts from 1, so what is there is of the last one.
  if (arrived.length > 0 && arrived[0].number <= last && awaitedFirst) requests = []
  awaitedFirst = false
  requests = [...arrived.toReversed(), ...requests].filter(({ number }) => number > cleared).slice(0, MOST_ROWS)
  showList(last === 0 ? new Set() : new Set(arrived.map(({ number }) => number)))
  showCapture(capturesUntil)
  const found = awaited === undefined ? undefined : arrived.find(({ id }) => id === awaited)
  if (found !== undefined) openAwaited(found)
}

function showCapture(until) {
  const button = byId('capture')
  clearInterval(captureTimer)
  const show = () => {
    const left = Math.max(0, Math.ceil((until - Date.now()) / 60_000))
    button.setAttribute('aria-pressed', String(left > 0))
    button.textContent = left > 0 ? `Capturing values and bodies: ${left} min left` : 'Capture values and bodies'
  }
  show()
  if (until > 0) captureTimer = setInterval(show, 5000)
}

async function post(path) {
  const response = await fetch(`/-/inspector/${path}`, { method: 'POST', headers: { 'x-inspector': '1' } })
  if (!response.ok) toast('The gateway refused this: open the link that it printed at start again.')
}

let awaitedFirst = true
const stream = new EventSource('/-/inspector/events')
stream.addEventListener('open', () => {
  awaitedFirst = true
  byId('live').className = 'live on'
  byId('live').textContent = 'live'
})
stream.addEventListener('error', () => {
  byId('live').className = 'live off'
  byId('live').textContent =
    stream.readyState === EventSource.CLOSED ? 'ended: open the printed link again' : 'waiting for the gateway'
})
stream.addEventListener('message', ({ data }) => take(JSON.parse(data)))

rows.addEventListener('click', ({ target }) => {
  const row = target.closest('.row')
  if (row !== null) void open(Number(row.dataset.number))
})
byId('back').addEventListener('click', close)
byId('clear').addEventListener('click', () => void post('clear'))
byId('capture').addEventListener('click', ({ currentTarget }) => {
  void post(`capture/${currentTarget.getAttribute('aria-pressed') === 'true' ? 'off' : 'on'}`)
})
for (const name of ['errors', 'slow']) byId(name).addEventListener('click', () => toggle(name))
for (const name of ['caller', 'user', 'entitySet', 'search']) {
  byId(name).addEventListener('input', ({ currentTarget }) => {
    filters[name] = currentTarget.value
    showList()
  })
}

function toggle(name) {
  filters[name] = !filters[name]
  byId(name).setAttribute('aria-pressed', String(filters[name]))
  showList()
}

/** Moves the focus in the list; where nothing has it, to the selected or the first row. */
function move(step) {
  const all = [...rows.querySelectorAll('.row')]
  const at = all.indexOf(document.activeElement)
  const current = all.findIndex((row) => Number(row.dataset.number) === selected)
  const next = at === -1 ? Math.max(current, 0) : at + step
  all[Math.min(Math.max(next, 0), all.length - 1)]?.focus()
}

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if (event.key === 'Escape') {
    if (event.target.matches('input')) event.target.blur()
    else if (selected !== undefined) close()
    return
  }
  if (event.target.matches('input, select')) return
  const action = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    j: () => move(1),
    k: () => move(-1),
    e: () => toggle('errors'),
    s: () => toggle('slow'),
    c: () => byId('copy')?.click(),
    '/': () => byId('search').focus(),
  }[event.key]
  if (action === undefined) return
  event.preventDefault()
  action()
})

showHint()
showNone(0)
