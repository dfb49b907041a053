import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'

import t from 'tap'

import { gatewayFor } from '../support/gateway-for.ts'
import { rawSocket } from '../support/raw-socket.ts'
import { until } from '../support/until.ts'

for (const target of [
  '/accounts?$filter=name%20eq%20%27O%27%27Neil%27',
  "/accounts?$filter=name eq 'a'&x=%2522&y=+&z=%zz".replaceAll(' ', '%20'),
  "/accounts(accountnumber='A%2FB')",
  "/accounts(accountnumber='..%2F..')",
  "/accounts(name='a.b.c',accountnumber='1')/contact_customer_accounts/$ref",
  "/RetrieveTotalRecordCount(EntityNames=@p)?@p=['account']",
  '/WhoAmI()?',
  '/api/data/v9.1/accounts?$top=1',
  '/api/data/v9.2',
  '/',
  `/accounts?$filter=${'x'.repeat(32_000)}`,
]) {
  t.test(`passes on byte for byte: ${target.slice(0, 60)}`, async (t) => {
    const { url, emulator } = await gatewayFor(t)

    await rawSocket(url, `GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)

    const expected = target.startsWith('/api/data') ? target : `/api/data/v9.2${target}`
    t.equal(emulator.received.at(-1)?.url, expected)
  })
}

t.test('passes bodies on untouched, whatever their type', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))

  for (const type of [
    'application/json',
    'text/plain; charset=utf-16',
    'application/octet-stream',
    ';;; no type',
    '',
  ]) {
    await fetch(`${url}/accounts`, { method: 'POST', body: bytes, headers: { 'content-type': type } })
    t.same(emulator.received.at(-1)?.body, bytes, type)
  }
})

t.test('passes methods on as they are, with and without a body', async (t) => {
  const { url, emulator } = await gatewayFor(t)

  for (const [method, body] of [
    ['POST', '{}'],
    ['POST', ''],
    ['PATCH', '{}'],
    ['PUT', '{}'],
    ['DELETE', undefined],
    ['DELETE', '{}'],
    ['OPTIONS', undefined],
    ['HEAD', undefined],
  ] as const) {
    await fetch(`${url}/accounts(1)`, {
      method,
      ...(body === undefined ? {} : { body }),
      headers: { 'content-type': 'application/json' },
    })
    t.match(emulator.received.at(-1), { method, body: Buffer.from(body ?? '') }, `${method} ${body}`)
  }
})

t.test('answers methods that the Web API lacks with 405', async (t) => {
  const { url, emulator } = await gatewayFor(t)

  for (const method of ['MERGE', 'TRACE', 'PROPFIND']) {
    const { text } = await rawSocket(
      url,
      `${method} /accounts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    )
    t.match(text, /^HTTP\/1\.1 405 .*\r\nallow: GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS(?:, QUERY)?\r\n/is)
  }
  t.equal(emulator.received.length, 0)
})

t.test('forwards only headers that Dynamics needs', async (t) => {
  const { url, emulator } = await gatewayFor(t)

  await rawSocket(
    url,
    [
      'GET /accounts HTTP/1.1',
      'Host: localhost',
      'Connection: close, X-Private',
      'X-Private: 1',
      'Keep-Alive: timeout=5',
      'TE: trailers',
      'Authorization: Bearer mine',
      'Cookie: a=1',
      'Proxy-Authorization: x',
      'Forwarded: for=1.2.3.4',
      'X-Forwarded-For: 1.2.3.4',
      'X_Under_Score: 1',
      'Prefer: odata.maxpagesize=5',
      'If-None-Match: null',
      'MSCRM.SolutionUniqueName: x',
      'Expect: 100-continue',
      '',
      '',
    ].join('\r\n'),
  )

  const { rawHeaders } = emulator.received.at(-1)!
  const sent = new Map(
    rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [[name.toLowerCase(), rawHeaders[index + 1]!]] : [])),
  )
  t.match(sent.get('authorization'), /^Bearer ey/)
  t.equal(sent.get('host'), 'contoso.crm4.dynamics.com')
  t.match(Object.fromEntries(sent), {
    prefer: 'odata.maxpagesize=5',
    'if-none-match': 'null',
    'mscrm.solutionuniquename': 'x',
  })
  for (const name of [
    'x-private',
    'keep-alive',
    'te',
    'cookie',
    'proxy-authorization',
    'forwarded',
    'x-forwarded-for',
    'x_under_score',
    'expect',
  ]) {
    t.notOk(sent.has(name), name)
  }
})

t.test('returns the response of Dynamics, without its cookies and challenges', async (t) => {
  const { url } = await gatewayFor(t)

  const { headers } = await fetch(`${url}/WhoAmI`, { headers: { 'x-request-id': 'my-own-id' } })

  t.ok(headers.has('x-ms-service-request-id'))
  t.ok(headers.has('x-ms-dop-hint'))
  t.equal(headers.get('x-request-id'), 'my-own-id')
  t.match(headers.get('server-timing'), /^token;dur=[\d.]+, user;dur=[\d.]+, wait;dur=[\d.]+, dynamics;dur=[\d.]+$/)
  for (const name of ['set-cookie', 'strict-transport-security', 'www-authenticate', 'access-control-allow-origin']) {
    t.notOk(headers.has(name), name)
  }
})

t.test('accepts an upload of 20 MB that waits for 100 Continue', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const outgoing = request(`${url}/accounts(1)/sample_file`, {
    method: 'PATCH',
    headers: { expect: '100-continue', 'content-type': 'application/octet-stream', 'content-length': 20_000_000 },
  })

  const answered = once(outgoing, 'response')
  outgoing.flushHeaders()
  await once(outgoing, 'continue')
  for (let sent = 0; sent < 20; sent++) {
    if (!outgoing.write(Buffer.alloc(1_000_000, sent))) await once(outgoing, 'drain')
  }
  outgoing.end()
  await answered

  const sent = emulator.received.at(-1)!
  t.equal(sent.method, 'PATCH')
  t.equal(sent.rawHeaders[sent.rawHeaders.findIndex((name) => name.toLowerCase() === 'content-length') + 1], '20000000')
})

t.test('an HTTP/1.0 caller gets no 100 Continue', async (t) => {
  const { url } = await gatewayFor(t)
  const lines = ['Host: localhost', 'Expect: 100-continue', 'Content-Type: application/json', 'Content-Length: 2']

  const { text } = await rawSocket(url, ['POST /accounts HTTP/1.0', ...lines, '', '{}'].join('\r\n'))

  t.match(text, /^HTTP\/1\.1 204 /)
})

t.test('renews a refused token once for all requests, and repeats them', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  await fetch(`${url}/WhoAmI`)
  emulator.revokeTokens()

  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      fetch(`${url}/accounts`, {
        method: 'POST',
        body: JSON.stringify({ name: `n${index}` }),
        headers: { 'content-type': 'application/json' },
      }),
    ),
  )

  t.same(new Set(answers.map(({ status }) => status)), new Set([204]))
  t.equal(emulator.tokenRequests.length, 2)
  t.equal(emulator.executions, 20)
})

t.test('cancels the outbound request when the caller disconnects', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  emulator.faults.dataverse.push({ kind: 'hang' })
  const gone = new AbortController()
  const asked = fetch(`${url}/accounts`, { signal: gone.signal }).catch(() => 'gone')
  await until(() => emulator.load.current > 0)

  gone.abort()
  await asked

  await until(() => emulator.load.current === 0)
  t.equal(emulator.load.current, 0)
})

t.test('retries a PATCH only with If-Match', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const {
    value: [{ contactid }],
  } = (await (await fetch(`${url}/contacts?$top=1`)).json()) as Contacts
  const patch = async (connection: string): Promise<string> => {
    emulator.faults.dataverse.push({ kind: 'deadlock' })
    const head = `PATCH /contacts(${contactid}) HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`
    const { text } = await rawSocket(
      url,
      `${head}If-Match: *\r\nConnection: ${connection}\r\nContent-Length: 19\r\n\r\n{"firstname":"Ada"}`,
    )
    return text.slice(0, 12)
  }

  t.equal(await patch('close'), 'HTTP/1.1 204')
  t.equal(await patch('close, if-match'), 'HTTP/1.1 500')
})

t.test("resets the caller's connection when a response is truncated", async (t) => {
  const { url, emulator } = await gatewayFor(t)
  emulator.faults.dataverse.push({ kind: 'half' })

  const { text, reset } = await rawSocket(url, 'GET /accounts HTTP/1.1\r\nHost: localhost\r\n\r\n')

  t.ok(reset)
  t.notMatch(text, /\r\n0\r\n\r\n$/)
})

t.test('accepts response heads far over 16 KB', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  emulator.faults.dataverse.push({ kind: 'big head', size: 40_000 })

  const outgoing = request(`${url}/accounts`, { maxHeaderSize: 200_000 }).end()
  const [response] = await once(outgoing, 'response')

  t.equal((response as { statusCode: number }).statusCode, 200)
})

t.test('forwards a response that comes before the upload is read, and keeps the connection', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  emulator.faults.dataverse.push({ kind: 'answer', status: 413, body: '{}', times: 2 })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())

  for (let count = 0; count < 2; count++) {
    const outgoing = request(`${url}/accounts(1)/sample_file`, {
      agent,
      method: 'PATCH',
      headers: { 'content-length': 8_000_000 },
    })
    const answered = once(outgoing, 'response')
    for (let sent = 0; sent < 8; sent++) if (!outgoing.write(Buffer.alloc(1_000_000))) await once(outgoing, 'drain')
    outgoing.end()
    const [response] = (await answered) as [IncomingMessage]
    await once(response.resume(), 'end')
    t.equal(response.statusCode, 413)
  }

  t.equal(outgoingConnections(agent), 1)
})

function outgoingConnections(agent: Agent): number {
  return Object.values(agent.freeSockets).flat().length
}

t.test("waits no longer than the caller's deadline", async (t) => {
  const { url, emulator } = await gatewayFor(t)
  emulator.faults.dataverse.push({ kind: 'hang', path: 'accounts' })

  const late = await fetch(`${url}/accounts`, { headers: { prefer: 'odata.maxpagesize=5, wait=1' } })
  const patient = await fetch(`${url}/contacts?$top=1`, { headers: { prefer: 'wait=0' } })

  t.equal(late.status, 504)
  t.match(await late.json(), { error: { code: 'GATEWAY_DYNAMICS_TOO_SLOW', message: /wait/ } })
  t.equal(patient.status, 200, 'a deadline of zero is ignored')
})

interface Contacts {
  readonly value: readonly [{ readonly contactid: string }]
}
