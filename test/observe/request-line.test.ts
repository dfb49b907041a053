import { Writable } from 'node:stream'

import { pino } from 'pino'
import t from 'tap'

import { logOptions } from '../../src/observe/log.ts'
import { partsInWords } from '../../src/observe/request-facts.ts'
import type { RequestFacts } from '../../src/observe/request-facts.ts'
import { levelOf, requestLog } from '../../src/observe/request-line.ts'
import { gatewayFor } from '../support/gateway-for.ts'
import type { Fixture } from '../support/gateway-for.ts'

const ADELE = { 'x-user-email': 'adele.vance@contoso.com' }

const BATCH = [
  '--b',
  'Content-Type: application/http',
  'Content-Transfer-Encoding: binary',
  '',
  'GET /api/data/v9.2/accounts?$top=1 HTTP/1.1',
  '',
  '',
  '--b',
  'Content-Type: application/http',
  'Content-Transfer-Encoding: binary',
  '',
  'GET /api/data/v9.2/accounts(00000000-0000-0000-0000-00000000dead) HTTP/1.1',
  '',
  '',
  '--b--',
  '',
].join('\r\n')

t.test('a line has caller, request, user, outcome and timings', async (t) => {
  const gateway = await gatewayFor(t)
  const { url } = gateway
  const traceId = '0af7651916cd43dd8448eb211c80319c'

  await fetch(`${url}/accounts?$filter=name eq 'secret'`, {
    headers: { ...ADELE, 'x-request-id': 'mine', traceparent: `00-${traceId}-b7ad6b7169203331-01` },
  })

  const line = (await requestLine(gateway, 'mine'))!
  t.match(line, {
    level: 'info',
    traceId,
    method: 'GET',
    entitySet: 'accounts',
    status: 200,
    caller: 'anybody',
    user: /^[0-9a-f-]{36}$/,
    attempts: 1,
    sent: true,
    msg: 'request',
  })
  for (const name of ['ms', 'tokenMs', 'userMs', 'waitMs', 'dynamicsMs']) t.type(line[name], 'number', name)
  t.match(line['dynamicsRequestId'], /^[0-9a-f-]{36}$/)
  t.notMatch(JSON.stringify(line), /secret|adele/i)
})

t.test("a line has the identity that the request ran with, and Dynamics' error code", async (t) => {
  const gateway = await gatewayFor(t)
  const { url } = gateway
  await fetch(`${url}/accounts(00000000-0000-0000-0000-00000000dead)`, { headers: { 'x-request-id': 'missing' } })
  await fetch(`${url}/WhoAmI`, {
    headers: { 'x-request-id': 'unknown', 'x-user-email': 'nobody@contoso.com' },
  })

  t.match(await requestLine(gateway, 'missing'), {
    status: 404,
    user: 'application user',
    dynamicsCode: /^0x8[0-9a-f]{7}$/,
    sent: true,
  })
  const refused = await requestLine(gateway, 'unknown')
  t.match(refused, { status: 403, code: 'GATEWAY_USER_UNKNOWN', attempts: 0, sent: false })
  t.notOk('user' in refused!)
})

t.test('a line has the outcome of the parts of a batch', async (t) => {
  const gateway = await gatewayFor(t)
  const { url, emulator } = gateway
  const ask = async (id: string, contentType: string, body: string): Promise<void> => {
    const headers = { 'x-request-id': id, prefer: 'odata.continue-on-error', 'content-type': contentType }
    await (await fetch(`${url}/$batch`, { method: 'POST', headers, body })).text()
  }

  await ask('multipart', 'multipart/mixed; boundary=b', BATCH)
  emulator.faults.dataverse.push({
    kind: 'answer',
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: '{"responses":[{"id":"1","status":204},{"id":"2","status":412,"body":{"status":500}}]}',
  })
  await ask('json', 'application/json', '{"requests":[]}')

  t.match(await requestLine(gateway, 'multipart'), { status: 200, entitySet: '$batch', parts: '1×2xx 1×404' })
  t.match(await requestLine(gateway, 'json'), { status: 200, parts: '1×2xx 1×412' })
})

t.test('every line about a request has its id and trace id', async (t) => {
  const gateway = await gatewayFor(t)
  const { url, emulator } = gateway
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const headers = { 'x-request-id': 'limited', traceparent: `00-${traceId}-b7ad6b7169203331-01` }
  await (await fetch(`${url}/WhoAmI`)).text()
  emulator.faults.dataverse.push({ kind: 'throttle', limit: 'count', retryAfter: 0 })

  await (await fetch(`${url}/WhoAmI`, { headers })).text()

  await requestLine(gateway, 'limited')
  const throttlingLines = gateway.lines.filter(({ kind }) => kind === 'limit' || kind === 'pause')
  t.ok(throttlingLines.length >= 2)
  for (const line of throttlingLines) t.match(line, { id: 'limited', traceId })
})

t.test('a successful probe is logged at debug level, a failed one as a warning', async (t) => {
  const gateway = await gatewayFor(t)
  const { url } = gateway
  await (await fetch(`${url}/-/livez`, { headers: { 'x-request-id': 'probe' } })).text()

  t.match(await requestLine(gateway, 'probe'), { level: 'debug', entitySet: 'gateway', status: 200 })
  t.equal(levelOf({ status: 503, code: undefined, entitySet: 'gateway' }), 'warn')
  t.equal(levelOf({ status: 401, code: undefined, entitySet: 'gateway' }), 'info')
  t.equal(levelOf({ status: 200, code: undefined, entitySet: 'accounts' }), 'info')
})

t.test('a request for a response from memory only is no fault where there is none', async (t) => {
  const gateway = await gatewayFor(t)
  const headers = { 'x-request-id': 'memory', 'cache-control': 'only-if-cached' }
  await (await fetch(`${gateway.url}/EntityDefinitions`, { headers })).text()

  t.match(await requestLine(gateway, 'memory'), { level: 'info', status: 504, code: 'GATEWAY_NOT_IN_MEMORY' })
  const page = await (await fetch(`${gateway.url}/-/`)).text()
  t.match(page, '1 request in the last 15 minutes: 1 refused, 0 failed')
  t.notMatch(page, 'Last fault')
})

t.test('the parts of a batch in words', async (t) => {
  t.equal(
    partsInWords(
      new Map([
        [412, 1],
        [200, 3],
        [204, 1],
        [404, 2],
      ]),
    ),
    '4×2xx 2×404 1×412',
  )
})

t.test('the line is byte for byte as pino would write it', async (t) => {
  let written = ''
  const log = pino(
    logOptions('info'),
    new Writable({
      write: (chunk, _encoding, done) => {
        written += String(chunk)
        done()
      },
    }),
  )
  const base: RequestFacts = {
    id: 'a.b:c-1',
    traceId: undefined,
    target: undefined,
    method: 'GET',
    entitySet: '$metadata',
    status: 200,
    code: undefined,
    dynamicsCode: undefined,
    ms: 12.5,
    timings: { token: 0, user: 0.26, wait: 0, dynamics: 11 },
    caller: 'Käthe "K" \u2028\n',
    user: undefined,
    priority: undefined,
    attempts: 1,
    sent: true,
    connection: undefined,
    dynamicsRequestId: undefined,
    parts: undefined,
    pages: undefined,
    rows: undefined,
    causes: undefined,
    endedAt: Date.now(),
  }
  const full: RequestFacts = {
    ...base,
    priority: 'background',
    traceId: '0af7651916cd43dd8448eb211c80319c',
    target: 'sales',
    status: 503,
    code: 'GATEWAY_STOPPING',
    dynamicsCode: '0x80040217',
    user: '5d0a4c3e-0000-4000-8000-000000000001',
    connection: 'reserve',
    dynamicsRequestId: 'a "b"',
    parts: '4×2xx 1×412',
    pages: 3,
    rows: 120,
    causes: ['one "and" \u0007', 'two'],
  }
  for (const { timings, endedAt, ...facts } of [base, full]) {
    requestLog(log)({ ...facts, timings, endedAt })
    log[levelOf(facts)](
      { ...facts, tokenMs: timings.token, userMs: 0.3, waitMs: timings.wait, dynamicsMs: timings.dynamics },
      'request',
    )
  }
  log.level = 'warn'
  requestLog(log)(base)

  const output = written
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  t.equal(output.length, 4)
  t.same({ ...output[0], time: 0 }, { ...output[1], time: 0 })
  t.same({ ...output[2], time: 0 }, { ...output[3], time: 0 })
  t.equal(output[0]!['time'], base.endedAt)
})

/** The log line of the request with this id, which is written when the response is sent. */
async function requestLine(gateway: Pick<Fixture, 'lines'>, id: string): Promise<Record<string, unknown> | undefined> {
  for (;;) {
    const found = gateway.lines.find((line) => line['id'] === id && line['msg'] === 'request')
    if (found !== undefined) return found
    await new Promise(setImmediate)
  }
}
