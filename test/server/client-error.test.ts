import { once } from 'node:events'
import { connect, createServer } from 'node:net'

import t from 'tap'

import { respondToClientError } from '../../src/server/client-error.ts'
import type { UnreadableRequest } from '../../src/server/unreadable-request.ts'
import { listenOnFreePort } from '../support/connection-fixture.ts'
import { gatewayFor } from '../support/gateway-for.ts'
import { rawRequest } from '../support/raw-http.ts'
import type { RawAnswer } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

t.test('a blank or a non-ASCII letter in the URL is reported, with a request id and a log line', async (t) => {
  const gateway = await gatewayFor(t)
  const { url, emulator } = gateway
  const to = { host: '127.0.0.1', port: Number(new URL(url).port) }
  const cases: [address: string, message: RegExp, entitySet: string][] = [
    ['/accounts?$filter=name eq 1', /holds a blank: write it percent-encoded/, 'accounts'],
    ["/accounts(name='a b')", /holds a blank: write it percent-encoded/, 'accounts'],
    ['/accounts?$filter=name eq HTTP/1.1 ', /holds a blank/, 'accounts'],
    ["/accounts?$filter=name%20eq%20'Müller'", /not visible ASCII: write it percent-encoded/, 'accounts'],
    ['/Müller', /not visible ASCII: write it percent-encoded/, 'other'],
    ['/a\tb', /not visible ASCII: write it percent-encoded/, 'other'],
  ]
  for (const [address, message, entitySet] of cases) {
    for (const given of [undefined, 'from-the-caller']) {
      const id = given === undefined ? '' : `X-Request-Id: ${given}\r\n`
      const answer = await rawRequest(to, `GET ${address} HTTP/1.1\r\nHost: localhost\r\n${id}\r\n`)

      t.match(answer, { status: 400 }, address)
      const { error } = JSON.parse(answer.body) as { error: { code: string; message: string } }
      t.equal(error.code, 'GATEWAY_BAD_REQUEST')
      t.match(error.message, message)
      const own = requestId(answer)
      t.ok(given === undefined ? /^[0-9a-f-]{36}$/.test(String(own)) : own === given, String(own))
      const line = gateway.lines.filter(({ msg }) => msg === 'unreadable request refused' || msg === 'request').at(-1)
      t.match(line, { id: own, method: 'GET', entitySet, status: 400, code: 'GATEWAY_BAD_REQUEST' })
    }
  }
  t.same(emulator.received, [])
})

t.test('bytes that are not a request get a request id and a log line that shows none of them', async (t) => {
  const gateway = await gatewayFor(t)
  const { url, log } = gateway
  const to = { host: '127.0.0.1', port: Number(new URL(url).port) }
  const cases: [bytes: string, status: number, code: string][] = [
    ['MARKER nonsense\r\n\r\n', 400, 'GATEWAY_BAD_REQUEST'],
    ['GET /?MARKER HTTP/1.1\r\nHost: x\r\nMARKER\r\n\r\n', 400, 'GATEWAY_BAD_REQUEST'],
    ['GET /?MARKER HTTP/9.9\r\nHost: x\r\n\r\n', 400, 'GATEWAY_BAD_REQUEST'],
    ['MARKER /?MARKER HTTP/1.1\r\nHost: x\r\n\r\n', 405, 'GATEWAY_METHOD_NOT_ALLOWED'],
    ['CONNECT MARKER:443 HTTP/1.1\r\nHost: MARKER\r\n\r\n', 405, 'GATEWAY_METHOD_NOT_ALLOWED'],
    [
      `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ${'MARKER'.repeat(40_000)}\r\n\r\n`,
      431,
      'GATEWAY_HEAD_TOO_LARGE',
    ],
  ]
  for (const [bytes, status, code] of cases) {
    const answer = await rawRequest(to, bytes)
    t.match(answer, { status }, code)
    t.match(gateway.lines.filter(({ msg }) => msg === 'unreadable request refused' || msg === 'request').at(-1), {
      id: requestId(answer),
      status,
      code,
    })
  }
  t.notMatch(log(), 'MARKER')
})

t.test('a malformed request is reported as itself, not as the one that arrived before it', async (t) => {
  const gateway = await gatewayFor(t, { ALLOWED_ORIGINS: 'https://app.example.com' })
  const to = { host: '127.0.0.1', port: Number(new URL(gateway.url).port) }
  const first =
    'GET /-/livez HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example.com\r\nX-Request-Id: first\r\n\r\n'
  const cases: [bytes: string, id: RegExp, status: number][] = [
    ['nonsense\r\n\r\n', /^[0-9a-f-]{36}$/, 400],
    ['{}\r\n\r\n', /^[0-9a-f-]{36}$/, 400],
    ['GET /a b HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: second\r\n\r\n', /^second$/, 400],
    ['BREW /a HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: second\r\n\r\n', /^second$/, 405],
  ]
  for (const [bytes, id, status] of cases) {
    for (const before of [first, '', first.repeat(3)]) {
      const answer = await rawRequest(to, before + bytes)

      const refused = lastOf(answer)
      t.equal(refused.status, status, bytes)
      t.match(requestId(refused), id)
      t.notMatch(refused.head, /access-control-allow-origin/i, 'it names no origin')
    }
  }
})

t.test('bytes after a request with Connection: close are not answered', async (t) => {
  const { url, lines } = await gatewayFor(t)
  const to = { host: '127.0.0.1', port: Number(new URL(url).port) }

  const { body } = await rawRequest(
    to,
    'GET /-/livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nnonsense\r\n',
  )

  t.notMatch(body, /HTTP\/1\.1/)
  t.notOk(lines.some(({ msg }) => msg === 'unreadable request refused'))
})

t.test('a request with a malformed body that then times out has one error, in the response and the log', async (t) => {
  const gateway = await gatewayFor(t, { TOTAL_TIMEOUT: '300ms' })
  // It closes its side only when the gateway closes the connection.
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(gateway.url).port), allowHalfOpen: true })
  t.teardown(() => socket.destroy())
  let received = ''
  socket.on('data', (chunk) => (received += String(chunk))).on('error', () => undefined)
  const head =
    'POST /accounts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
  socket.write(`${head}2\r\n{"\r\nno chunk\r\n`)

  const line = (): Record<string, unknown> | undefined => gateway.lines.find(({ msg }) => msg === 'request')
  await until(() => line() !== undefined)

  t.match(line(), { status: 400, code: 'GATEWAY_BAD_REQUEST' })
  t.match(received, /^HTTP\/1\.1 400 [^]*"GATEWAY_BAD_REQUEST"/)
})

/** The last of several responses on a connection. */
function lastOf({ head, body }: RawAnswer): RawAnswer {
  const all = `${head}\r\n\r\n${body}`
  const [ownHead = '', ownBody = ''] = all.slice(all.lastIndexOf('HTTP/1.1 ')).split('\r\n\r\n')
  return { head: ownHead, body: ownBody, code: undefined, status: Number(ownHead.slice(9, 12)) }
}

function requestId({ head }: RawAnswer): string | undefined {
  return /^x-request-id: (\S+)$/im.exec(head)?.[1]
}

t.test('a request with two origins is handled as one without', async (t) => {
  const { url } = await gatewayFor(t, { ALLOWED_ORIGINS: 'https://a.example' })
  const to = { host: '127.0.0.1', port: Number(new URL(url).port) }
  const bad = (...origins: string[]): Promise<RawAnswer> => {
    const lines = origins.map((origin) => `Origin: ${origin}\r\n`).join('')
    return rawRequest(to, `GET /a b HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n`)
  }
  t.match((await bad('https://a.example')).head, /access-control-allow-origin: https:\/\/a\.example/i)
  t.notMatch((await bad('https://a.example', 'https://a.example')).head, /access-control-allow-origin/i)
})

t.test('only a limited part of an unwanted body is read', async (t) => {
  const { url } = await gatewayFor(t)
  const to = { host: '127.0.0.1', port: Number(new URL(url).port) }
  const megabytes = 20
  const head = `POST /-/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${megabytes * 1024 ** 2}\r\n\r\n`
  const socket = connect(to)
  let answer = ''
  socket.setEncoding('latin1').on('data', (text: string) => (answer += text))
  socket.on('error', () => undefined)
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.write(head)
  for (let sent = 0; sent < megabytes; sent++) socket.write(Buffer.alloc(1024 ** 2))
  await closed
  t.match(answer, /^HTTP\/1\.1 404 /)
})

t.test('QUERY, which the oldest versions of Node do not know, is refused with what to send instead', async (t) => {
  const refused: UnreadableRequest[] = []
  // As those versions report it.
  const server = createServer((socket) =>
    socket.once('data', (rawPacket: Buffer) => {
      const error = Object.assign(new Error('Parse Error'), { code: 'HPE_INVALID_METHOD', rawPacket })
      respondToClientError(
        error,
        socket,
        undefined,
        () => undefined,
        (request) => refused.push(request),
      )
    }),
  )
  const to = { host: '127.0.0.1', port: await listenOnFreePort(t, server) }

  const query = await rawRequest(to, 'QUERY /accounts HTTP/1.1\r\nHost: localhost\r\n\r\n')
  t.match(query, { status: 405, code: 'GATEWAY_METHOD_NOT_ALLOWED', body: /a POST, with \/\$query/ })
  const other = await rawRequest(to, 'BREW /accounts HTTP/1.1\r\nHost: localhost\r\n\r\n')
  t.match(other, { status: 405, code: 'GATEWAY_METHOD_NOT_ALLOWED' })
  t.match(refused, [{ entitySet: 'accounts' }, { method: 'other', entitySet: 'accounts' }])
})

t.test('a caller that leaves while its unwanted body is discarded does no harm', async (t) => {
  const fixture = await gatewayFor(t)
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(fixture.url).port) })
  socket.write('POST /-/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc')
  const [answer] = (await once(socket, 'data')) as [Buffer]
  t.match(String(answer), /^HTTP\/1\.1 404 /)

  socket.resetAndDestroy()

  t.equal((await fetch(`${fixture.url}/WhoAmI`)).status, 200)
})
