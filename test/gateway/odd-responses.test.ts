import t from 'tap'
import type { Test } from 'tap'

import { gatewayForRawDynamics } from '../support/raw-dynamics.ts'
import { rawSocket } from '../support/raw-socket.ts'

const JSON_TYPE = 'Content-Type: application/json\r\n'
const BODY = '{"value":[]}'
const LENGTH = `Content-Length: ${BODY.length}\r\n`
const OK = `HTTP/1.1 200 OK\r\n${JSON_TYPE}`

// Invalid HTTP: the caller gets a clear error, and nothing of the response.
for (const [name, raw] of [
  ['a name with a blank', `${OK}X A: 1\r\n${LENGTH}\r\n${BODY}`],
  ['an empty name', `${OK}: 1\r\n${LENGTH}\r\n${BODY}`],
  ['a NUL in a value', `${OK}X-A: 1\0\r\n${LENGTH}\r\n${BODY}`],
  ['a CR in a value', `${OK}X-A: 1\rX-B: 2\r\n${LENGTH}\r\n${BODY}`],
  ['two lengths', `${OK}Content-Length: 3\r\n${LENGTH}\r\n${BODY}`],
  ['a length and chunks', `${OK}${LENGTH}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['a negative length', `${OK}Content-Length: -1\r\n\r\n${BODY}`],
  ['a length with a sign', `${OK}Content-Length: +12\r\n\r\n${BODY}`],
  ['a status of two digits', `HTTP/1.1 99 X\r\n${JSON_TYPE}${LENGTH}\r\n${BODY}`],
  ['a status of four digits', `HTTP/1.1 2000 X\r\n${JSON_TYPE}${LENGTH}\r\n${BODY}`],
  ['no status', `HTTP/1.1 OK\r\n${JSON_TYPE}${LENGTH}\r\n${BODY}`],
  ['an upgrade that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a body without a head', BODY],
  ['a head of 300 KB', `${OK}X-A: ${'x'.repeat(300_000)}\r\n${LENGTH}\r\n${BODY}`],
  ['lines that end with LF', `${OK}X-A: 1\r\n${LENGTH}\r\n${BODY}`.replaceAll('\r\n', '\n')],
  ['a folded value', `${OK}X-A: 1\r\n 2\r\n${LENGTH}\r\n${BODY}`],
  ['a head without an end', OK],
  ['chunks whose first size is no number', `${OK}Transfer-Encoding: chunked\r\n\r\nx\r\n${BODY}\r\n0\r\n\r\n`],
] as const) {
  t.test(`a response of Dynamics with ${name} is a 502`, async (t) => {
    const { address, text } = await respondedWith(t, raw)
    t.match(text, /^HTTP\/1\.1 502 /)
    t.match(text, /"GATEWAY_DYNAMICS_/)
    t.notMatch(text, /x-b|value/i)
    t.equal((await fetch(`${address}/accounts`)).status, 200, 'the next request is not affected')
  })
}

// Unusual responses that are allowed or harmless.
for (const [name, raw, expected] of [
  ['10,000 header lines', `${OK}${'X-A: 1\r\n'.repeat(10_000)}${LENGTH}\r\n${BODY}`, /^HTTP\/1\.1 200 OK\r$/m],
  ['letters of Latin-1 in a value', `${OK}X-A: M\xfcller\r\n${LENGTH}\r\n${BODY}`, /^x-a: M\xfcller\r$/im],
  ['no reason', `HTTP/1.1 200\r\n${JSON_TYPE}${LENGTH}\r\n${BODY}`, /^HTTP\/1\.1 200 OK\r$/m],
  ['a head of 40 KB', `${OK}X-A: ${'x'.repeat(40_000)}\r\n${LENGTH}\r\n${BODY}`, /^x-a: x{40000}\r$/im],
  ['a body with 204', `HTTP/1.1 204 No Content\r\n${LENGTH}\r\n${BODY}`, /^HTTP\/1\.1 204 /],
] as const) {
  t.test(`a response of Dynamics with ${name} is passed on`, async (t) => {
    const { address, text } = await respondedWith(t, raw)
    t.match(text, expected)
    t.equal((await fetch(`${address}/accounts`)).status, 200, 'the next request is not affected')
  })
}

/** The response that a caller gets if Dynamics sends `raw`. */
async function respondedWith(t: Test, raw: string): Promise<{ readonly address: string; readonly text: string }> {
  const { address } = await gatewayForRawDynamics(
    t,
    (settings) => settings,
    (request) => (request.includes('/odd') ? { raw } : Buffer.from(BODY)),
  )
  const { text } = await rawSocket(
    address,
    'POST /odd HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
  )
  return { address, text }
}
