import { createGzip } from 'node:zlib'

import t from 'tap'

import { gatewayFor } from '../support/gateway-for.ts'
import { METHODS_OF_QUERIES, sendQuery } from '../support/queries.ts'
import { gatewayForRawDynamics } from '../support/raw-dynamics.ts'
import { rawRequest } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

const ROWS = { accept: 'application/x-ndjson' }

/** The lines of a stream, and whether it was cut off. */
async function linesOf(response: Response): Promise<{ readonly lines: string[]; readonly broken: boolean }> {
  let text = ''
  let broken = false
  try {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) text += chunk
  } catch {
    broken = true
  }
  return { lines: text.split('\n').filter((line) => line !== ''), broken }
}

t.test('every row of every page is one line, byte for byte', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const path = '/contacts?$select=fullname,_parentcustomerid_value&$orderby=fullname'
  const page = await (await fetch(url + path)).text()
  emulator.switches.pageSize = 30
  const before = emulator.received.length

  const response = await fetch(url + path, {
    headers: { ...ROWS, 'x-user-email': 'adele.vance@contoso.com', prefer: 'odata.maxpagesize=20' },
  })

  t.equal(response.status, 200)
  t.equal(response.headers.get('content-type'), 'application/x-ndjson')
  t.equal(response.headers.get('odata-version'), '4.0')
  t.match(response.headers.get('preference-applied'), /maxpagesize=20/)
  t.ok(response.headers.get('x-request-id'))
  const { lines, broken } = await linesOf(response)
  t.notOk(broken)
  t.ok(lines.length >= 100)
  t.equal(page.slice(page.indexOf('[') + 1, page.lastIndexOf(']')), lines.join(','), 'byte for byte')
  const pages = emulator.received.slice(before).filter(({ url }) => url.includes('contacts'))
  t.equal(pages.length, Math.ceil(lines.length / 20))
  for (const { headers } of pages) {
    t.match(headers, { accept: 'application/json', prefer: 'odata.maxpagesize=20', callerobjectid: /^[\da-f-]{36}$/ })
  }
})

t.test('a long query in any form returns all rows', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  emulator.switches.pageSize = 25
  const query = `$select=name&$filter=name%20ne%20%27${'x'.repeat(40_000)}%27`

  const { lines } = await linesOf(await fetch(`${url}/accounts?${query}`, { headers: ROWS }))

  t.equal(lines.length, emulator.rows('accounts').length)
  t.ok(lines.every((line) => typeof (JSON.parse(line) as { name: unknown }).name === 'string'))
  for (const method of METHODS_OF_QUERIES) {
    const answer = await sendQuery(method, `${url}/accounts`, query, { ...ROWS, 'content-type': 'text/plain' })
    t.same(answer.text.trim().split('\n'), lines, method)
  }
})

t.test('$top limits the rows, also with a page size', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  for (const [top, size] of [
    [7, 3],
    [6, 3],
    [1, 3],
    [0, 3],
    [1000, 50],
  ] as const) {
    const response = await fetch(`${url}/contacts?$select=fullname&$top=${top}`, {
      headers: { ...ROWS, prefer: `odata.maxpagesize=${size}` },
    })
    const { lines, broken } = await linesOf(response)
    t.notOk(broken)
    t.equal(lines.length, Math.min(top, emulator.rows('contacts').length), `${top}`)
  }
})

t.test('a response shared with other callers stays JSON for them', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  emulator.switches.latency = 100
  const address = `${url}/accounts?$select=name`

  const answers = await Promise.all(
    ['application/json', 'application/x-ndjson', 'application/json', 'application/x-ndjson'].map(async (accept) =>
      (await fetch(address, { headers: { accept } })).text(),
    ),
  )

  const [one, , other] = answers.map((text, index) =>
    index % 2 === 0 ? (JSON.parse(text) as { value: object[] }) : undefined,
  )
  t.equal(one!.value.length, 110)
  t.same(other, one)
  for (const lines of [answers[1]!, answers[3]!]) {
    t.same(
      lines
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
      one!.value,
    )
  }
})

t.test('links in rows point to the gateway', async (t) => {
  const { url } = await gatewayFor(t)

  const { lines } = await linesOf(
    await fetch(`${url}/accounts?$select=name&$expand=Account_Tasks($select=subject)&$top=5`, {
      headers: { accept: 'application/x-ndjson;odata.metadata=full', prefer: 'odata.maxpagesize=2' },
    }),
  )

  t.equal(lines.length, 5)
  const links = lines.join('\n').match(/"https?:\/\/[^"]+/g) ?? []
  t.ok(links.length > 0)
  for (const link of links) t.ok(link.startsWith(`"${url}/`), link)
})

t.test(
  'without Accept: application/x-ndjson, or if another type is preferred, the response is unchanged',
  async (t) => {
    const { url } = await gatewayFor(t)
    for (const accept of ['application/json', '*/*', 'application/json, application/x-ndjson;q=0.5']) {
      const response = await fetch(`${url}/accounts?$top=1`, { headers: { accept } })
      t.match(response.headers.get('content-type'), /^application\/json/, accept)
      t.match(await response.json(), { value: [{}] })
    }
  },
)

t.test('HEAD returns the headers of the stream', async (t) => {
  const { url } = await gatewayFor(t)

  const response = await fetch(`${url}/accounts?$select=name`, { method: 'HEAD', headers: ROWS })

  t.equal(response.status, 200)
  t.equal(response.headers.get('content-type'), 'application/x-ndjson')
  t.equal(response.headers.get('content-length'), null)
  t.equal(await response.text(), '')
})

t.test('a resource without rows gets 406; if the path shows it, nothing is sent', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const [row] = emulator.rows('accounts')
  for (const [method, path, isSent] of [
    ['GET', `/accounts(${row!['accountid']})`, true],
    ['GET', `/accounts(${row!['accountid']})/name`, true],
    ['GET', '/WhoAmI', true],
    ['GET', '/$metadata', false],
    ['GET', '/accounts/$count', false],
    ['GET', `/accounts(${row!['accountid']})/name/$value`, false],
    ['GET', '/%24metadata', false],
    ['POST', '/accounts', false],
    ['POST', '/$batch', false],
    ['DELETE', '/accounts(1)', false],
  ] as const) {
    const before = emulator.received.length
    const response = await fetch(url + path, { method, headers: ROWS })
    t.equal(response.status, 406, `${method} ${path}`)
    t.match(await response.json(), { error: { code: 'GATEWAY_NOT_A_COLLECTION' } })
    t.equal(emulator.received.length > before, isSent, `${method} ${path}`)
  }
  const changes = await fetch(`${url}/accounts`, { headers: { ...ROWS, prefer: 'odata.track-changes' } })
  t.equal(changes.status, 406)
  t.equal((await fetch(`${url}/accounts`, { method: 'OPTIONS', headers: ROWS })).status, 200)
})

t.test('errors of the first page are passed on unchanged', async (t) => {
  const { url } = await gatewayFor(t)

  const response = await fetch(`${url}/accounts?$select=nothing`, { headers: ROWS })

  t.equal(response.status, 400)
  t.match(await response.json(), { error: { code: '0x80060888' } })
})

t.test('throttling, broken connections and an expired token between pages are invisible to the caller', async (t) => {
  const { url, emulator, log } = await gatewayFor(t)
  emulator.switches.pageSize = 10
  const page = (fault: object) => ({ path: 'skiptoken', ...fault }) as never
  emulator.faults.dataverse.push(
    page({ kind: 'throttle', limit: 'count', retryAfter: 1 }),
    page({ kind: 'reset', skip: 1 }),
    page({ kind: 'answer', status: 503, skip: 2 }),
    page({ kind: 'challenge', skip: 3 }),
  )

  const { lines, broken } = await linesOf(await fetch(`${url}/accounts?$select=name`, { headers: ROWS }))

  t.notOk(broken)
  t.equal(lines.length, 110)
  t.equal(new Set(lines).size, 110)
  t.equal(emulator.faults.dataverse.pending, 0)
  await until(() => log().includes('"pages":11,"rows":110'))
})

t.test('the log, the inspector and the metrics show pages and rows', async (t) => {
  const { url, emulator, log, running } = await gatewayFor(t, { INSPECTOR: 'true' })
  emulator.switches.pageSize = 50
  await linesOf(await fetch(`${url}/accounts?$select=name`, { headers: ROWS }))
  await linesOf(await fetch(`${url}/accounts?$top=1`, { headers: ROWS }))
  await until(() => log().includes('"pages":1,"rows":1'))

  t.match(log(), '"pages":3,"rows":110')
  const { requests } = (await (await fetch(`${running.inspectorLink}&format=json`)).json()) as {
    requests: { facts: [string, string][] }[]
  }
  const rows = requests.map(({ facts }) => Object.fromEntries(facts)['Rows'])
  t.same(rows.slice(0, 2), ['1 from 1 page', '110 from 3 pages'])
  const metrics = await (await fetch(`${url}/-/metrics`)).text()
  t.match(metrics, 'gateway_rows_total{target="dynamics"} 111')
  t.match(metrics, 'gateway_rows_pages_total{target="dynamics"} 4')
})

t.test('a stream that fails is cut off after a line with the link to continue', async (t) => {
  const { url, emulator, log } = await gatewayFor(t)
  emulator.switches.pageSize = 10
  const all = (await linesOf(await fetch(`${url}/accounts?$select=name`, { headers: ROWS }))).lines
  const body = '{"error":{"code":"0x80040220","message":"no privilege"}}'
  for (const [kind, fault, error] of [
    ['an error', { kind: 'answer', status: 403, body }, { code: '0x80040220' }],
    ['an error that is none', { kind: 'answer', status: 403, body: 'no' }, { code: 'GATEWAY_DYNAMICS_ANSWER_INVALID' }],
    [
      'an error of deep lists',
      { kind: 'answer', status: 403, body: `{"error":${'['.repeat(400_000)}${']'.repeat(400_000)}}` },
      { code: 'GATEWAY_DYNAMICS_ANSWER_INVALID' },
    ],
    ['a page of a sign-in', { kind: 'html', status: 200 }, { code: 'GATEWAY_DYNAMICS_ANSWER_INVALID' }],
    [
      'a page that is none',
      { kind: 'answer', status: 200, body: '{"a":[]}', headers: { 'content-type': 'application/json' } },
      { code: 'GATEWAY_DYNAMICS_ANSWER_INVALID' },
    ],
    [
      'a link to elsewhere',
      {
        kind: 'answer',
        status: 200,
        body: '{"value":[],"@odata.nextLink":"https://evil.example/api/data/v9.2/accounts?x"}',
        headers: { 'content-type': 'application/json' },
      },
      { code: 'GATEWAY_DYNAMICS_ANSWER_INVALID' },
    ],
    ['no connection', { kind: 'reset', times: 2 }, { code: 'GATEWAY_DYNAMICS_BROKE_OFF' }],
    ['half a page', { kind: 'half' }, { code: 'GATEWAY_DYNAMICS_BROKE_OFF' }],
  ] as const) {
    emulator.faults.dataverse.push({ path: 'skiptoken', skip: 1, ...fault } as never)
    const { lines, broken } = await linesOf(await fetch(`${url}/accounts?$select=name`, { headers: ROWS }))
    t.ok(broken, kind)
    const last = JSON.parse(lines.at(-1)!) as { error: object; resume: string; skip: number }
    t.match(last, { error, resume: String, skip: Number }, kind)
    t.ok(last.resume.startsWith(`${url}/accounts?$select=name&$skiptoken=`), kind)
    t.same(lines.slice(0, -1), all.slice(0, 20 + last.skip), kind)
    emulator.faults.dataverse.clear()
    const rest = await linesOf(await fetch(last.resume, { headers: ROWS }))
    t.same([...lines.slice(0, -1), ...rest.lines.slice(last.skip)], all, `${kind}: the link continues the stream`)
  }
  t.match(log(), /"status":200,"code":"GATEWAY_DYNAMICS_ANSWER_INVALID"/)
})

t.test('the link to continue has the rest of $top', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const headers = { ...ROWS, prefer: 'odata.maxpagesize=10' }
  for (const top of ['$top=35', '%24top=35', '$top=%33%35']) {
    const path = `/contacts?${top}&$select=fullname`
    const all = (await linesOf(await fetch(url + path, { headers }))).lines
    t.equal(all.length, 35)
    for (const [fault, left] of [
      [{ kind: 'reset', times: 2 }, 15],
      [{ kind: 'half' }, 15],
    ] as const) {
      emulator.faults.dataverse.push({ path: 'skiptoken', skip: 1, ...fault } as never)
      const { lines, broken } = await linesOf(await fetch(url + path, { headers }))
      t.ok(broken)
      emulator.faults.dataverse.clear()
      const { resume, skip } = JSON.parse(lines.at(-1)!) as { resume: string; skip: number }
      t.ok(resume.includes(`${top.split('=')[0]}=${left}&`), resume)
      const rest = await linesOf(await fetch(resume, { headers }))
      t.notOk(rest.broken)
      t.same([...lines.slice(0, -1), ...rest.lines.slice(skip)], all, `${fault.kind}: 35 in all`)
    }
  }
})

t.test('a row that is too long is reported, before and after other rows', async (t) => {
  const long = `{"document":"${'x'.repeat(17 * 1024 * 1024)}"}`
  let page = `{"value":[${long}]}`
  const { address } = await gatewayForRawDynamics(
    t,
    (settings) => settings,
    () => Buffer.from(page),
  )
  const first = await linesOf(await fetch(`${address}/documents`, { headers: ROWS }))
  t.ok(first.broken)
  t.match(JSON.parse(first.lines.join('\n')), {
    error: { code: 'GATEWAY_ROW_TOO_LONG', message: /more than 16,777,216 bytes.*\$select/ },
    resume: `${address}/documents`,
    skip: 0,
  })

  page = `{"value":[{"a":1},${long}]}`
  const { lines, broken } = await linesOf(await fetch(`${address}/documents?$top=5`, { headers: ROWS }))
  t.ok(broken)
  t.equal(lines[0], '{"a":1}')
  t.match(JSON.parse(lines[1]!), { error: { code: 'GATEWAY_ROW_TOO_LONG' }, skip: 1, resume: /\$top=5$/ })
})

t.test('HTTP/1.0, which cannot distinguish a complete stream from a truncated one, gets 406', async (t) => {
  const { url } = await gatewayFor(t)
  const request = 'GET /accounts HTTP/1.0\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n'

  t.match(await rawRequest({ port: Number(new URL(url).port) }, request), { status: 406, body: /send HTTP\/1\.1/ })
})

t.test('when the caller disconnects, no further page is requested, and the slot is released', async (t) => {
  const { url, emulator, log } = await gatewayFor(t, { MAX_CONCURRENCY: '1' })
  emulator.switches.pageSize = 10
  emulator.faults.dataverse.push({ path: 'skiptoken', kind: 'hang' })
  const leaving = new AbortController()
  const response = await fetch(`${url}/accounts?$select=name`, { headers: ROWS, signal: leaving.signal })
  await until(() => emulator.received.at(-1)!.url.includes('skiptoken'))

  leaving.abort()

  await linesOf(response)
  await until(() => log().includes('"pages":1,"rows":10'))
  t.notMatch(log(), /GATEWAY_/, 'a disconnect is not an error')
  t.equal((await fetch(`${url}/accounts?$top=1`)).status, 200, 'the one slot is free')
  t.equal(emulator.received.filter(({ url }) => url.includes('skiptoken')).length, 1)
})

t.test('an export releases its slot between pages', async (t) => {
  const { url, emulator } = await gatewayFor(t, { MAX_CONCURRENCY: '1' })
  emulator.switches.pageSize = 10
  // While the second page is in flight, other requests wait for the only slot.
  emulator.faults.dataverse.push({ path: 'skiptoken', kind: 'delay', ms: 1500 })

  const rows = fetch(`${url}/contacts?$select=fullname`, { headers: ROWS }).then(linesOf)
  await until(() => emulator.received.some(({ url }) => url.includes('skiptoken')))
  const others = await Promise.all(
    Array.from({ length: 3 }, async () => (await fetch(`${url}/accounts?$top=1`)).status),
  )
  const pagesBefore = emulator.received.filter(({ url }) => url.includes('contacts')).length
  const { lines } = await rows

  t.same(others, [200, 200, 200])
  const pages = emulator.received.filter(({ url }) => url.includes('contacts')).length
  t.ok(pagesBefore < pages, `answered after ${pagesBefore} of ${pages} pages`)
  t.equal(lines.length, emulator.rows('contacts').length)
})

t.test('FetchXML, which has no next links, also returns all pages', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const ids = Array.from({ length: 700 }, (_, index) => `<value>${index}-${'x'.repeat(40)}</value>`).join('')
  const xml = (attributes: string, filter = ''): string =>
    `fetchXml=${encodeURIComponent(`<fetch${attributes}><entity name="account"><attribute name="name"/>${filter}</entity></fetch>`)}`
  const all = emulator.rows('accounts').length
  const none = `<filter><condition attribute="name" operator="ne" value="a"/></filter>`
  const read = async (query: string, prefer?: string): Promise<{ lines: string[]; broken: boolean }> =>
    linesOf(
      await fetch(`${url}/accounts?${query}`, { headers: { ...ROWS, ...(prefer === undefined ? {} : { prefer }) } }),
    )

  emulator.switches.pageSize = 25
  t.equal(new Set((await read(xml(''))).lines).size, all)
  t.equal((await read(xml(' count="10"', none))).lines.length, all)
  t.equal((await read(`${xml(' count="10"')}&$top=15`)).lines.length, 15)
  t.equal((await read(xml(' count="10" page="3"'))).lines.length, all - 20, 'from the requested page')
  t.equal((await read(xml(' top="12"'))).lines.length, 12)
  const annotated = await read(xml(''), 'odata.include-annotations="OData.Community.Display.V1.FormattedValue"')
  t.equal(annotated.lines.length, all)
  t.match(
    emulator.received.at(-1)!.headers['prefer'],
    'odata.include-annotations="OData.Community.Display.V1.FormattedValue,Microsoft.Dynamics.CRM.fetchxmlpagingcookie,Microsoft.Dynamics.CRM.morerecords"',
  )
  t.equal((await read(xml(''), 'odata.maxpagesize=5')).lines.length, all)
  const rare = `<filter><condition attribute="name" operator="in">${ids}</condition></filter>`
  t.same(await read(xml('', rare)), { lines: [], broken: false }, 'longer than a URL may be')
  t.match(emulator.received.at(-1)!.url, '/$batch')
})

t.test('a slow reader limits how many pages are requested ahead', async (t) => {
  const row = `{"name":"${'x'.repeat(1000)}"}`
  const rows = Array.from({ length: 1000 }, () => row).join(',')
  const host = 'https://contoso.crm4.dynamics.com'
  const page = `{"value":[${rows}],"@odata.nextLink":"${host}/api/data/v9.2/accounts?$skiptoken=1"}`
  const { address, requests } = await gatewayForRawDynamics(
    t,
    (settings) => settings,
    () => Buffer.from(page),
  )

  const leaving = new AbortController()
  const response = await fetch(`${address}/accounts`, { headers: ROWS, signal: leaving.signal })
  await until(() => requests.length > 1)
  let before = 0
  await until(async () => {
    const isStill = requests.length === before
    before = requests.length
    await new Promise((resolve) => setTimeout(resolve, 200))
    return isStill && requests.length === before
  })
  // Each page has one megabyte, and socket buffers hold some of them.
  t.ok(requests.length < 40, `${requests.length} pages`)

  let read = 0
  for await (const chunk of response.body!) {
    read += chunk.length
    if (read > 50_000_000) break
  }
  t.ok(requests.length > before, 'continues when the reader reads')
  leaving.abort()
})

t.test('a response of another type than JSON gets 406', async (t) => {
  const { address } = await gatewayForRawDynamics(
    t,
    (settings) => settings,
    () => ({ raw: 'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 3\r\n\r\nabc' }),
  )

  const response = await fetch(`${address}/accounts`, { headers: ROWS })

  t.equal(response.status, 406)
  t.match(await response.json(), { error: { code: 'GATEWAY_NOT_A_COLLECTION' } })
})

t.test('a first page that breaks off before its first row is an error', async (t) => {
  const { address } = await gatewayForRawDynamics(
    t,
    (settings) => settings,
    () => ({ raw: 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"@odata' }),
  )

  const response = await fetch(`${address}/accounts`, { headers: ROWS })

  t.equal(response.status, 502)
  t.match(await response.json(), { error: { code: 'GATEWAY_DYNAMICS_BROKE_OFF' } })
})

t.test('what follows the last wanted row does not matter', async (t) => {
  const gzip = createGzip()
  gzip.write('{"value":[{"a":1},{"a":2},')
  await new Promise<void>((resolve) => gzip.flush(resolve))
  const pieces = [(gzip.read() as Buffer).toString('latin1'), 'this is not gzip']
  const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')
  const { address } = await gatewayForRawDynamics(
    t,
    (settings) => settings,
    () => ({
      raw:
        'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n' +
        `Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
    }),
  )

  const rows = await linesOf(await fetch(`${address}/accounts?$top=2`, { headers: ROWS }))

  t.same(rows, { lines: ['{"a":1}', '{"a":2}'], broken: false })
})

t.test('pages of FetchXML without a paging cookie are asked for by their number', async (t) => {
  const { address, requests } = await gatewayForRawDynamics(
    t,
    (settings) => settings,
    (request) => {
      const page = Number(/page%3D%22(\d)/.exec(request)?.[1] ?? 1)
      return Buffer.from(`{"@Microsoft.Dynamics.CRM.morerecords":${page < 3},"value":[{"a":${page}}]}`)
    },
  )
  const xml = encodeURIComponent('<fetch count="1"><entity name="account"/></fetch>')

  const rows = await linesOf(await fetch(`${address}/accounts?fetchXml=${xml}`, { headers: ROWS }))

  t.same(rows, { lines: ['{"a":1}', '{"a":2}', '{"a":3}'], broken: false })
  t.equal(requests.length, 3)
})

t.test('while the gateway is stopping, the connection closes after the rows', async (t) => {
  const { url, emulator, running } = await gatewayFor(t)
  emulator.faults.dataverse.push({ path: 'accounts', kind: 'delay', ms: 500 })
  const answer = rawRequest({ port: Number(new URL(url).port) }, ROWS_ON_A_KEPT_CONNECTION)
  await until(() => emulator.received.some(({ url }) => url.includes('accounts')))

  running.stop()

  const { status, head, body } = await answer
  t.equal(status, 200)
  t.match(head, /^connection: close$/im)
  t.match(body, /\r\n0\r\n\r\n$/)
})

const ROWS_ON_A_KEPT_CONNECTION =
  'GET /accounts?$top=3 HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n'
