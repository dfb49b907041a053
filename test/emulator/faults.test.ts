import { once } from 'node:events'
import { IncomingMessage } from 'node:http'
import { connect, Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

import t from 'tap'
import { request } from 'undici'

import { createThrottle } from '../../emulator/dataverse/throttle.ts'
import { accountId, clientId, clientSecret, type Emulator, tenantId } from '../../emulator/emulator.ts'
import { errorText } from '../../emulator/entra/aadsts-texts.ts'
import { createRequestLog } from '../../emulator/http/received.ts'
import { type Call, root, emulatorFor } from '../support/started-emulator.ts'

const token = (emulator: Emulator, headersTimeout = 10_000): ReturnType<typeof request> =>
  request(`https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/token`, {
    dispatcher: emulator.dispatcher,
    method: 'POST',
    headersTimeout,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
      scope: 'https://contoso.crm4.dynamics.com/.default',
    }).toString(),
  })

const create = (call: Call): ReturnType<Call> => call('accounts', { method: 'POST', body: '{}' })

t.test('responds in place of Dataverse', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const { dataverse } = emulator.faults
  const next = async (): Promise<unknown[]> => {
    const { status, headers, text } = await call('WhoAmI')
    return [status, headers.get('retry-after'), /0x\w+/.exec(text)?.[0] ?? text.slice(0, 9)]
  }

  dataverse.push(
    { kind: 'throttle' },
    { kind: 'throttle', limit: 'time', retryAfter: 17 },
    { kind: 'throttle', limit: 'concurrency', retryAfter: 2, asDate: true },
    { kind: 'html' },
    { kind: 'html', status: 504 },
    { kind: 'unavailable' },
    { kind: 'unavailable', retryAfter: 3 },
    { kind: 'unavailable', retryAfter: 'date' },
    { kind: 'deadlock' },
    { kind: 'challenge' },
    { kind: 'challenge', claims: '{}' },
    { kind: 'answer', status: 418, body: 'teapot', headers: { 'content-type': 'text/plain' } },
    { kind: 'answer', status: 204 },
  )

  t.equal(dataverse.pending, 13)
  t.same(await next(), [429, '1', '0x80072322'])
  t.same(await next(), [429, '17', '0x80072321'])
  t.match(await next(), [429, / GMT$/, '0x80072326'])
  t.same(await next(), [502, null, '<!DOCTYPE'])
  t.same(await next(), [504, null, '<!DOCTYPE'])
  t.same(await next(), [503, null, '0x80040216'])
  t.same(await next(), [503, '3', '0x80040216'])
  t.match(await next(), [503, / GMT$/, '0x80040216'])
  t.same(await next(), [500, null, '0x80044150'])
  t.same(await next(), [401, null, ''])
  t.same(await next(), [401, null, ''])
  t.same(await next(), [418, null, 'teapot'])
  t.same(await next(), [204, null, ''])
  t.match(await next(), [200, null])
})

t.test('affects matching requests, as often as configured', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const { dataverse } = emulator.faults
  const status = async (target: string, method = 'GET'): Promise<number> => (await call(target, { method })).status

  dataverse.push(
    { kind: 'html', path: 'contacts', times: 2 },
    { kind: 'deadlock', method: 'POST' },
    { kind: 'unavailable', path: /tasks$/, skip: 1 },
  )
  t.equal(await status('accounts'), 200)
  t.equal(await status('contacts'), 502)
  t.equal(await status('tasks'), 200)
  t.equal(await status('tasks'), 503)
  t.equal(await status('accounts', 'POST'), 500)
  t.equal(await status('contacts'), 502)
  t.equal(await status('contacts'), 200)
  dataverse.always({ kind: 'html', method: 'GET' })
  t.equal(await status('accounts'), 502)
  t.equal(await status('accounts'), 502)
  t.equal(await status('accounts', 'OPTIONS'), 200)
  emulator.faults.clear()
  t.equal(await status('accounts'), 200)
  dataverse.always({ kind: 'html' })
  dataverse.always(undefined)
  t.equal(await status('accounts'), 200)
})

t.test('breaks connections, before and after the commit', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const { dataverse } = emulator.faults

  dataverse.push({ kind: 'reset' })
  await t.rejects(create(call))
  t.equal(emulator.executions, 0)
  t.match(emulator.received.at(-1), { status: undefined, aborted: true })
  dataverse.push({ kind: 'reset after commit' })
  await t.rejects(create(call))
  t.equal(emulator.executions, 1)
  dataverse.push({ kind: 'half' })
  await t.rejects(call('accounts'))
  dataverse.push({ kind: 'invalid head' })
  await t.rejects(call('WhoAmI'))
  t.equal((await create(call)).status, 204)
})

t.test('hangs before and during a response, until the caller disconnects', async (t) => {
  const { emulator } = await emulatorFor(t)
  const ask = (limits: { headersTimeout?: number; bodyTimeout?: number }): ReturnType<typeof request> =>
    request(`${root}accounts`, {
      dispatcher: emulator.dispatcher,
      headers: { authorization: `Bearer ${emulator.token()}` },
      ...limits,
    })

  emulator.faults.dataverse.push({ kind: 'hang' }, { kind: 'hang in body' })
  await t.rejects(ask({ headersTimeout: 300 }), { code: 'UND_ERR_HEADERS_TIMEOUT' })
  const { statusCode, body } = await ask({ bodyTimeout: 300 })
  t.equal(statusCode, 200)
  await t.rejects(body.text(), { code: 'UND_ERR_BODY_TIMEOUT' })
})

t.test('responds late, in small pieces, with a large head, and with a closed connection', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  emulator.faults.dataverse.push(
    { kind: 'delay', ms: 20 },
    { kind: 'slow', size: 4000, ms: 1 },
    { kind: 'big head' },
    { kind: 'big head', size: 10 },
    { kind: 'close after' },
  )

  t.equal((await call('WhoAmI')).status, 200)
  t.ok((await call('accounts')).json['value'])
  t.equal((await call('WhoAmI')).headers.get('x-ms-padding')?.length, 65_536)
  t.equal((await call('WhoAmI')).headers.get('x-ms-padding')?.length, 10)
  t.ok((await call('accounts')).json['value'])
  t.equal((await call('WhoAmI')).status, 200)
})

t.test('refuses requests until the throttle is released', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  emulator.faults.limit({ seconds: 60 })

  t.match((await call('WhoAmI')).headers.get('retry-after'), /^(60|59)$/)
  t.equal((await call('WhoAmI')).status, 429)
  emulator.faults.limit({ seconds: 60, kind: 'time' })
  t.match((await call('WhoAmI')).text, '0x80072321')
  t.equal(typeof emulator.faults.violations, 'number')
  emulator.faults.clear()
  t.equal((await call('WhoAmI')).status, 200)
})

t.test('counts requests that ignore Retry-After', (t) => {
  let now = 1000
  const throttle = createThrottle(() => now)
  const ask = (): unknown[] => {
    const reply = throttle.refusal()
    return [reply?.headers.find(([name]) => name === 'Retry-After')?.[1], throttle.violations]
  }

  t.same(ask(), [undefined, 0])
  throttle.start({ seconds: 10 })
  t.same(ask(), ['10', 0])
  now += 100
  t.same(ask(), ['10', 0], 'it was under way')
  now += 1
  t.same(ask(), ['10', 1])
  now += 9898
  t.same(ask(), ['1', 2])
  now += 1
  t.same(ask(), [undefined, 2])
  t.end()
})

t.test('limits concurrent requests', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  emulator.switches.concurrencyLimit = 2
  emulator.faults.dataverse.push({ kind: 'hang', times: 2 })
  const hanging = [call('WhoAmI'), call('WhoAmI')].map((each) => each.catch(() => 'left'))
  while (emulator.load.current < 2) await wait(5)

  t.match((await call('WhoAmI')).text, '0x80072326')
  t.match(emulator.load, { peak: 3, total: 3 })
  await emulator.close()
  t.same(await Promise.all(hanging), ['left', 'left'])
})

t.test('has its own clock', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const ahead = async (): Promise<number> =>
    (Date.parse((await call('WhoAmI')).headers.get('date') ?? '') - Date.now()) / 60_000

  t.ok(Math.abs(await ahead()) < 5)
  emulator.switches.clockAhead = 7_200_000
  t.ok(Math.abs((await ahead()) - 120) < 5)
  t.match((await token(emulator)).headers['date'], / GMT$/)
})

t.test('responds after the set latency', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  emulator.switches.latency = 20
  const begun = performance.now()

  t.equal((await call('WhoAmI')).status, 200)
  t.ok(performance.now() - begun > 15)
})

t.test('responds in place of Entra', async (t) => {
  const { emulator } = await emulatorFor(t)
  const { entra } = emulator.faults
  const next = async (): Promise<unknown[]> => {
    const { statusCode, headers, body } = await token(emulator)
    return [statusCode, headers['retry-after'], (await body.text()).slice(0, 26)]
  }

  entra.push(
    { kind: 'throttle' },
    { kind: 'throttle', retryAfter: 5 },
    { kind: 'empty' },
    { kind: 'null' },
    { kind: 'garbage' },
    { kind: 'no token' },
    { kind: 'crash' },
    { kind: 'html', status: 503 },
    { kind: 'aadsts', number: 7000222 },
    { kind: 'aadsts', number: 123 },
    { kind: 'aadsts', number: 65001 },
    { kind: 'delay', ms: 1 },
  )
  t.match(await next(), [429, undefined])
  t.match(await next(), [429, '5'])
  t.same(await next(), [200, undefined, ''])
  t.same(await next(), [200, undefined, 'null'])
  t.same(await next(), [200, undefined, '{"token_type":"Bearer","ac'])
  t.same(await next(), [200, undefined, '{"token_type":"Bearer","ex'])
  t.match(await next(), [500, undefined, 'Object reference'])
  t.match(await next(), [503, undefined, '<!DOCTYPE'])
  t.same(await next(), [401, undefined, '{"error":"invalid_client",'])
  t.same(await next(), [400, undefined, '{"error":"invalid_request"'])
  t.same(await next(), [400, undefined, '{"error":"invalid_grant","'])
  t.match(await next(), [200])
})

t.test('affects only the token endpoint of Entra by default', async (t) => {
  const { emulator } = await emulatorFor(t)
  const discover = async (): Promise<number> =>
    (
      await request(`https://login.microsoftonline.com/${tenantId}/v2.0/.well-known/openid-configuration`, {
        dispatcher: emulator.dispatcher,
      })
    ).statusCode

  emulator.faults.entra.push(
    { kind: 'crash' },
    { kind: 'html', path: 'openid-configuration' },
    { kind: 'reset' },
    { kind: 'hang' },
  )
  t.equal(await discover(), 502)
  t.equal(await discover(), 200)
  t.equal((await token(emulator)).statusCode, 500)
  await t.rejects(token(emulator))
  await t.rejects(token(emulator, 200), { code: 'UND_ERR_HEADERS_TIMEOUT' })
})

t.test('has the text of every AADSTS number that matters', (t) => {
  for (const number of [
    7000215, 7000222, 700016, 700011, 70001, 7000112, 90002, 900021, 900023, 90019, 50059, 50128, 50194, 9001023,
    500011, 50001, 70011, 1002012, 28002, 700022, 901002, 900144, 7000218, 700025, 700027, 700023, 700021, 700024,
    700030, 50012, 50027, 50013, 700213, 70021, 65001, 650057, 650052, 650056, 53003, 530032, 530034, 530035, 50034,
    50076, 50079, 50158, 50055, 50056, 50057, 50126, 50105, 501051, 700229, 50196, 90055, 90006, 90024, 90033, 50033,
    90038, 900382, 900432,
  ])
    t.not(errorText(number, {}).description, 'The request failed.', String(number))
  t.match(errorText(65001, {}), { suberror: 'consent_required' })
  t.end()
})

t.test('records received bodies byte for byte, up to a limit', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  await call("accounts?$filter=name eq '%2F'&x=+", { headers: { 'X-Twice': 'a' } })
  await call('tasks', { method: 'POST', body: 'x'.repeat(2_000_000) })

  t.match(emulator.received[0], {
    method: 'GET',
    url: '/api/data/v9.2/accounts?$filter=name%20eq%20%27%2F%27&x=+',
    status: 200,
    aborted: false,
    headers: { 'x-twice': 'a' },
  })
  t.ok(emulator.received[0]?.rawHeaders.includes('host'))
  t.equal(emulator.received[1]?.bodyLength, 2_000_000)
  t.equal(emulator.received[1]?.body.length, 1024 * 1024)
})

t.test('records the last thousand requests', (t) => {
  const log = createRequestLog()
  for (let number = 0; number < 1001; number += 1) {
    const message = new IncomingMessage(new Socket())
    message.url = `/${number}`
    log.record(message)
  }

  t.equal(log.requests.length, 1000)
  t.equal(log.requests[0]?.url, '/1')
  t.end()
})

t.test('records callers that disconnect during their body', async (t) => {
  const { emulator } = await emulatorFor(t)
  const socket = connect(Number(new URL(emulator.origin).port), '127.0.0.1')
  await once(socket, 'connect')
  socket.write(
    `POST /api/data/v9.2/accounts HTTP/1.1\r\nHost: ${new URL(emulator.origin).host}\r\n` +
      'Content-Length: 100\r\n\r\n{',
  )
  while (emulator.received.length === 0) await wait(5)
  socket.destroy()
  while (emulator.received[0]?.aborted !== true) await wait(5)

  t.match(emulator.received[0], { bodyLength: 1, status: undefined })
  t.equal(emulator.executions, 0)
})

async function raw({ origin }: Emulator, head: readonly string[], body = ''): Promise<string> {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  socket.setEncoding('utf8')
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  let text = ''
  for await (const chunk of socket) text += chunk
  return text
}

t.test('answers Expect: 100-continue', async (t) => {
  const { emulator } = await emulatorFor(t)

  const text = await raw(
    emulator,
    [
      'POST /api/data/v9.2/accounts HTTP/1.1',
      `Host: ${new URL(emulator.origin).host}`,
      'Expect: 100-continue',
      'Connection: close',
      'Content-Type: application/json',
      `Authorization: Bearer ${emulator.token()}`,
      'Content-Length: 2',
    ],
    '{}',
  )

  t.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 204 No Content/)
})

t.test('accepts HTTP/1.0 with a host, and joins repeated headers', async (t) => {
  const { emulator } = await emulatorFor(t)
  const { host } = new URL(emulator.origin)
  const head = ['GET /api/data/v9.2/accounts?$top=1 HTTP/1.0', `Authorization: Bearer ${emulator.token()}`]

  t.match(await raw(emulator, head), /^HTTP\/1\.1 400 /)
  t.match(
    await raw(emulator, [...head, `Host: ${host}`, 'X-A: 1', 'x-a: 2']),
    /^HTTP\/1\.1 200 OK\r\n(.+\r\n)*Content-Length: \d+\r\n/,
  )
  t.equal(emulator.received.at(-1)?.headers['x-a'], '1, 2')
})

t.test('stops writing when the caller of a large response stops reading', async (t) => {
  const { emulator } = await emulatorFor(t)
  // More than the socket buffers of both ends hold.
  emulator.put('accounts', { accountid: accountId(0), description: 'x'.repeat(30_000_000) })
  const socket = connect(Number(new URL(emulator.origin).port), '127.0.0.1')
  socket.write(
    `GET /api/data/v9.2/accounts(${accountId(0)}) HTTP/1.1\r\nHost: ${new URL(emulator.origin).host}\r\n` +
      `Authorization: Bearer ${emulator.token()}\r\n\r\n`,
  )
  await once(socket, 'readable')
  socket.destroy()
  while (emulator.received[0]?.aborted !== true) await wait(5)

  t.equal(emulator.received[0]?.status, 200)
})
