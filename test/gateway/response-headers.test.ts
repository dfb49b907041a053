import t from 'tap'
import type { Test } from 'tap'

import { keyHash } from '../../src/callers/api-key.ts'
import { addHeaders } from '../../src/server/added-headers.ts'
import { gatewayFor, gatewayWithFile } from '../support/gateway-for.ts'
import { rawRequest, requestOf } from '../support/raw-http.ts'
import type { RawAnswer } from '../support/raw-http.ts'

// Every kind of response that a caller can get, with the headers that each must have.

const ORIGIN = 'https://app.contoso.com'
const lines = ['Origin: https://app.contoso.com', 'X-Request-Id: mine']
const json = 'Content-Type: application/json'

/** Names of the headers that the gateway adds to every response. */
const ADDED: readonly string[] = (() => {
  const headers: string[] = []
  addHeaders(headers, { id: '', timings: { token: 0, user: 0, wait: 0, dynamics: 0 }, cors: undefined })
  return headers.filter((_, index) => index % 2 === 0)
})()

/** Headers that only responses to readable requests have. Add a new header to `client-error.ts` or here. */
const OF_READABLE: readonly string[] = ['server-timing']

/** Kind of response → bytes of the request, status, whether its head can be parsed. */
const KINDS: readonly (readonly [kind: string, bytes: string, status: number, readable: boolean])[] = [
  ['an answer of Dynamics', requestOf('GET /accounts?$top=1', ...lines), 200, true],
  ['one without a body', requestOf('HEAD /accounts?$top=1', ...lines), 200, true],
  ['an error of Dynamics', requestOf('GET /nothing', ...lines), 404, true],
  ['a created row', `${requestOf('POST /accounts', ...lines, json, 'Content-Length: 2')}{}`, 204, true],
  ['a path with two slashes', requestOf('GET //accounts', ...lines), 400, true],
  ['a fragment', requestOf('GET /accounts#x', ...lines), 400, true],
  ['a body that GET does not have', `${requestOf('GET /accounts', ...lines, 'Content-Length: 2')}{}`, 400, true],
  ['an e-mail address that is none', requestOf('GET /accounts', ...lines, 'X-User-Email: x'), 400, true],
  ['a batch that is none', `${requestOf('POST /$batch', ...lines, json, 'Content-Length: 2')}{}`, 400, true],
  ['no Host', requestOf('GET /accounts', ...lines, 'Host: a b'), 400, true],
  ['an unknown user', requestOf('GET /accounts', ...lines, 'X-User-Email: nobody@example.com'), 403, true],
  ['the name of another host', requestOf('GET /accounts', ...lines, 'Host: evil.example'), 421, true],
  ['a long address', requestOf(`GET /accounts?${'x'.repeat(70_000)}`, ...lines), 414, true],
  ['a query of no type', `${requestOf('POST /accounts/$query', ...lines, 'Content-Length: 2')}{}`, 415, true],
  ['a large head', requestOf('GET /accounts', ...lines, `A: ${'x'.repeat(70_000)}`), 431, true],
  ['many lines', requestOf('GET /accounts', ...lines, ...Array.from({ length: 120 }, () => 'a: b')), 431, true],
  ['a large body', requestOf('POST /accounts', ...lines, json, 'Content-Length: 9999'), 413, true],
  ['a method that the Web API does not have', requestOf('PROPFIND /accounts', ...lines), 405, true],
  ['one that Fastify does not have', requestOf('M-SEARCH /accounts', ...lines), 405, true],
  ['an expectation', requestOf('POST /accounts', ...lines, 'Expect: x', 'Content-Length: 0'), 417, true],
  ['a tunnel', `CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\nX-Request-Id: mine\r\n\r\n`, 405, true],
  [
    'a body that is no chunk',
    `${requestOf('POST /accounts', ...lines, json, 'Transfer-Encoding: chunked')}z\r\n`,
    400,
    true,
  ],
  ['a preflight', requestOf('OPTIONS /accounts', ...lines, 'Access-Control-Request-Method: PATCH'), 204, true],
  ['one for a wrong path', requestOf('OPTIONS //accounts', ...lines, 'Access-Control-Request-Method: GET'), 204, true],
  ['a probe', requestOf('GET /-/livez', ...lines), 200, true],
  ['another', requestOf('HEAD /-/readyz', ...lines), 200, true],
  ['the status page', requestOf('GET /-/', ...lines), 200, true],
  ['metrics', requestOf('GET /-/metrics', ...lines), 200, true],
  ['nothing at all', requestOf('GET /-/nothing', ...lines), 404, true],
  ['nothing, in letters that are none', requestOf('GET /-/%zz', ...lines), 400, true],
  ['a head that is none', requestOf('GET /accounts', ...lines, 'a b: c'), 400, false],
  ['an address that is none', requestOf('GET /acc ounts', ...lines), 400, false],
  ['a method that Node does not know', requestOf('FOO /accounts', ...lines), 405, false],
  ['a head beyond all measure', requestOf('GET /accounts', `A: ${'x'.repeat(300_000)}`), 431, false],
]

t.test('every response carries X-Request-Id, and Server-Timing where the request could be read', async (t) => {
  const { url, lines: log } = await gatewayFor(t, { ALLOWED_ORIGINS: ORIGIN, BODY_LIMIT: '1KiB' })
  const port = Number(new URL(url).port)

  for (const [kind, bytes, status, readable] of KINDS) {
    const answer = await rawRequest({ port }, bytes)
    t.equal(answer.status, status, kind)
    // An unreadable request still has its own id, unless the id is beyond the limit of what is read.
    carriesAll(t, answer, kind, readable, bytes.length < 100_000)
  }
  t.ok(log.length > 0)
})

t.test('pages of listed origins can read all responses, including errors', async (t) => {
  const { url } = await gatewayFor(t, { ALLOWED_ORIGINS: ORIGIN, BODY_LIMIT: '1KiB' })
  const port = Number(new URL(url).port)

  for (const [kind, bytes] of KINDS) {
    if (!bytes.includes(ORIGIN)) continue
    const listed = await rawRequest({ port }, bytes)
    t.same(valuesOf(listed, 'access-control-allow-origin'), [ORIGIN], kind)
    t.match(valuesOf(listed, 'access-control-expose-headers'), [/X-Request-Id/], kind)
    t.ok(valuesOf(listed, 'vary').includes('Origin'), kind)
    for (const name of namesOf(listed)) t.ok(isExposed(listed, name), `${kind}: ${name}`)

    const other = await rawRequest({ port }, bytes.replace(ORIGIN, 'https://evil.example'))
    t.notMatch(other.head, /access-control/i, `${kind}, of another origin`)
  }
})

t.test('without listed origins no response has CORS headers', async (t) => {
  const { url } = await gatewayFor(t, { BODY_LIMIT: '1KiB' })

  for (const [kind, bytes] of KINDS) {
    t.notMatch(
      (await rawRequest({ port: Number(new URL(url).port) }, bytes)).head,
      /access-control|vary: origin/i,
      kind,
    )
  }
})

t.test('errors for an unknown caller and an unknown target can be read by pages', async (t) => {
  const { url, emulator } = await gatewayWithFile(t, (credential) => ({
    allowedOrigins: [ORIGIN],
    callers: [{ name: 'app', keys: [keyHash('a-key-that-is-long-enough-to-be-one')] }],
    targets: [{ name: 'sales', url: 'https://contoso.crm4.dynamics.com', credential }],
  }))
  const port = Number(new URL(url).port)

  for (const [path, status] of [
    ['/sales/accounts', 401],
    ['/wrong/accounts', 404],
  ] as const) {
    const answer = await rawRequest({ port }, requestOf(`GET ${path}`, ...lines))
    t.equal(answer.status, status)
    t.same(valuesOf(answer, 'access-control-allow-origin'), [ORIGIN])
    carriesAll(t, answer, path, true)
    const preflight = requestOf(`OPTIONS ${path}`, ...lines, 'Access-Control-Request-Method: GET')
    t.equal((await rawRequest({ port }, preflight)).status, 204, 'the request itself is authorized when it comes')
  }
  t.equal(emulator.received.filter(({ url }) => url.includes('accounts')).length, 0)
})

t.test("a body that stops arriving is answered with its request's id", async (t) => {
  const { url } = await gatewayWithFile(t, (credential) => ({
    bodyTimeout: '300ms',
    allowedOrigins: [ORIGIN],
    targets: [{ name: 'sales', url: 'https://contoso.crm4.dynamics.com', credential }],
  }))

  const answer = await rawRequest(
    { port: Number(new URL(url).port) },
    `${requestOf('POST /sales/accounts', ...lines, json, 'Content-Length: 9')}{`,
  )

  t.equal(answer.status, 408)
  t.same(valuesOf(answer, 'access-control-allow-origin'), [ORIGIN])
  carriesAll(t, answer, 'slow', true)
})

t.test('the log has a line for an unreadable request, with the id in its response', async (t) => {
  const fixture = await gatewayFor(t)

  const answer = await rawRequest({ port: Number(new URL(fixture.url).port) }, 'no request\r\n\r\n')

  const [id] = valuesOf(answer, 'x-request-id')
  t.match(
    fixture.lines.find((line) => line['id'] === id),
    { code: 'GATEWAY_BAD_REQUEST', status: 400 },
  )
})

function carriesAll(t: Test, answer: RawAnswer, kind: string, readable: boolean, named = true): void {
  for (const name of ADDED) {
    t.equal(valuesOf(answer, name).length, readable || !OF_READABLE.includes(name) ? 1 : 0, `${kind}: ${name}`)
  }
  const ids = valuesOf(answer, 'x-request-id')
  if (named) t.same(ids, ['mine'], kind)
  else t.match(ids[0], /^[0-9a-f-]{36}$/, kind)
  const timings = valuesOf(answer, 'server-timing')
  if (readable) t.match(timings, [/^token;dur=[\d.]+, user;dur=[\d.]+, wait;dur=[\d.]+, dynamics;dur=[\d.]+$/], kind)
  else t.same(timings, [], kind)
}

function valuesOf({ head }: RawAnswer, name: string): string[] {
  return head
    .split('\r\n')
    .filter((line) => line.toLowerCase().startsWith(`${name}: `))
    .map((line) => line.slice(name.length + 2))
}

function namesOf({ head }: RawAnswer): string[] {
  return head
    .split('\r\n')
    .slice(1)
    .map((line) => line.slice(0, line.indexOf(':')).toLowerCase())
}

/** Headers that every page may read, that are for the browser only, or that belong to the connection. */
const OTHERS =
  /^(?:cache-control|content-(?:language|length|type|security-policy)|expires|last-modified|pragma|access-control-.*|connection|keep-alive|transfer-encoding)$/

function isExposed(answer: RawAnswer, name: string): boolean {
  const exposed = valuesOf(answer, 'access-control-expose-headers').join().toLowerCase().split(/,\s*/)
  return OTHERS.test(name) || exposed.includes(name)
}
