import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'

import t from 'tap'

import { accountId } from '../../emulator/emulator.ts'
import { gatewayFor } from '../support/gateway-for.ts'
import { until } from '../support/until.ts'

/** Sends `pieces` as chunks, and returns the status. */
async function send(url: string, pieces: Iterable<Buffer>, headers: Record<string, string>): Promise<number> {
  const outgoing = request(url, { method: 'POST', headers: { 'transfer-encoding': 'chunked', ...headers } })
  const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>
  answered.catch(() => undefined)
  // The response may come before the body is sent: the gateway reads no more of a body that it refused, and Node's
  // client releases its socket.
  outgoing.on('error', () => undefined)
  outgoing.on('socket', (socket) => socket.on('error', () => undefined))
  for (const piece of pieces)
    if (!outgoing.write(piece)) await Promise.race([once(outgoing, 'drain').catch(() => undefined), answered])
  outgoing.end()
  const [response] = await answered
  response.resume()
  return response.statusCode!
}

t.test('rewrites links in a body that is too long to buffer', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const json = JSON.stringify({
    lastname: 'Long',
    'parentcustomerid_account@odata.bind': `${url}/accounts(${accountId(7)})`,
  }).replace('{', `{${' '.repeat(3_000_000)}`)
  const bytes = Buffer.from(json)

  const status = await send(
    `${url}/contacts`,
    [bytes.subarray(0, 1_500_000), bytes.subarray(1_500_000, bytes.length - 30), bytes.subarray(bytes.length - 30)],
    { 'content-type': 'application/json' },
  )

  t.equal(status, 204)
  t.equal(
    emulator.rows('contacts').find(({ lastname }) => lastname === 'Long')?.['_parentcustomerid_value'],
    accountId(7),
  )
})

t.test('cuts off a chunked body beyond BODY_LIMIT, and nothing is executed', async (t) => {
  const { url, emulator } = await gatewayFor(t, { BODY_LIMIT: '2MiB' })
  const piece = Buffer.alloc(256 * 1024, ' ')

  const status = await send(
    `${url}/accounts`,
    Array.from({ length: 16 }, () => piece),
    {
      'content-type': 'application/octet-stream',
    },
  )

  t.equal(status, 413)
  t.equal(emulator.executions, 0)
})

t.test('refuses a body whose declared length is too long before reading it', async (t) => {
  const { url, emulator } = await gatewayFor(t, { BODY_LIMIT: '1KiB' })

  const response = await fetch(`${url}/accounts`, { method: 'POST', body: 'x'.repeat(2000) })

  t.equal(response.status, 413)
  t.match(await response.json(), { error: { code: 'GATEWAY_BODY_TOO_LARGE' } })
  t.equal(emulator.received.length, 0)
})

t.test('cuts off a long $batch at the refused part, and nothing is executed', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const part = (head: string, body: string): string =>
    '--b\r\nContent-Type: application/http\r\n' +
    `Content-Transfer-Encoding: binary\r\n\r\n${head}\r\nContent-Type: application/json\r\n\r\n${body}\r\n`
  const batch =
    part('POST /accounts HTTP/1.1', JSON.stringify({ name: 'first', description: 'x'.repeat(2_000_000) })) +
    part(`POST /accounts HTTP/1.1\r\nMSCRMCallerID: ${accountId(1)}`, '{"name":"second"}') +
    '--b--\r\n'

  const status = await send(`${url}/$batch`, [Buffer.from(batch)], { 'content-type': 'multipart/mixed; boundary=b' })

  t.equal(status, 400)
  t.equal(emulator.executions, 0)
})

t.test('a body whose sender disconnects is not executed', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const outgoing = request(`${url}/accounts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': 4_000_000 },
  })
  outgoing.on('error', () => undefined)

  outgoing.write(Buffer.alloc(2_000_000, ' '))
  while (emulator.load.current === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  outgoing.destroy()
  while (emulator.load.current > 0) await new Promise((resolve) => setTimeout(resolve, 5))

  t.equal(emulator.executions, 0)
})

t.test('a body that fails while its request waits ends that request only', async (t) => {
  const { url, emulator, log } = await gatewayFor(t)
  emulator.faults.dataverse.push({ kind: 'throttle', retryAfter: 2 })
  const paused = fetch(`${url}/accounts`)
  // Before the gateway has read the refusal, the batch would get a connection, and be held back there.
  await until(() => log().includes('sending paused'))

  const oversized = JSON.stringify({ requests: [{ id: '1', body: { description: 'x'.repeat(17 * 1024 * 1024) } }] })
  const refused = fetch(`${url}/$batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: oversized,
  })

  t.equal((await refused).status, 413)
  t.equal((await paused).status, 200)
  t.equal(emulator.executions, 0)
})

for (const framing of ['content-length', 'transfer-encoding']) {
  t.test(`a connection stays usable after a body that was not sent, with ${framing}`, async (t) => {
    const { url, emulator } = await gatewayFor(t)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.teardown(() => agent.destroy())
    const statusOf = async (method: string, path: string, body = ''): Promise<number | undefined> => {
      const headers = framing === 'content-length' || body === '' ? {} : { 'transfer-encoding': 'chunked' }
      const outgoing = request(url + path, { agent, method, headers }).end(body)
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
      response.resume()
      return response.statusCode
    }
    emulator.faults.dataverse.push({ kind: 'throttle', retryAfter: 300 })
    t.equal(await statusOf('GET', '/accounts'), 429)

    t.equal(await statusOf('POST', '/accounts', ' '.repeat(6_000_000)), 429)
    t.equal(await statusOf('GET', '/-/livez'), 200)
  })
}
