import { subscribe, unsubscribe } from 'node:diagnostics_channel'

import t from 'tap'
import type { Test } from 'tap'

import type { DataverseFault } from '../../emulator/emulator.ts'
import { pause } from '../support/connection-fixture.ts'
import { gatewayOnSockets } from '../support/gateway-on-sockets.ts'
import type { GatewayOnSockets } from '../support/gateway-on-sockets.ts'
import { mixedTraffic } from '../support/mixed-traffic.ts'
import type { Outcome, Traffic } from '../support/mixed-traffic.ts'
import { until } from '../support/until.ts'

t.setTimeout(600_000)

/** A gateway with traffic on it. */
async function underTraffic(
  t: Test,
  variables: NodeJS.ProcessEnv = {},
): Promise<GatewayOnSockets & { readonly traffic: Traffic }> {
  const gateway = await gatewayOnSockets(variables)
  const traffic = mixedTraffic(gateway.url, gateway.emulator)
  t.teardown(async () => {
    await traffic.close()
    await gateway.close()
  })
  return { ...gateway, traffic }
}

/**
 * Counts the requests to `origin` that are written after a 429 arrived and before its Retry-After is over. The emulator
 * cannot tell: on a busy machine, earlier requests arrive late.
 */
function countSentWhileLimited(t: Test, origin: string): () => number {
  let limitedUntil = -Infinity
  let sent = 0
  const onWritten = (message: unknown): void => {
    if ((message as Written).request.origin === origin && performance.now() < limitedUntil) sent++
  }
  const onResponse = (message: unknown): void => {
    const { request, response } = message as Responded
    if (request.origin !== origin || response.statusCode !== 429) return
    const name = response.headers.findIndex((header) => String(header).toLowerCase() === 'retry-after')
    limitedUntil = Math.max(limitedUntil, performance.now() + 1000 * Number(response.headers[name + 1]))
  }
  subscribe('undici:client:sendHeaders', onWritten)
  subscribe('undici:request:headers', onResponse)
  t.teardown(() => {
    unsubscribe('undici:client:sendHeaders', onWritten)
    unsubscribe('undici:request:headers', onResponse)
  })
  return () => {
    if (limitedUntil === -Infinity) throw new Error('no 429 has arrived')
    return sent
  }
}

/** Messages of undici's diagnostics channels. */
interface Written {
  readonly request: { readonly origin: string }
}
interface Responded extends Written {
  readonly response: { readonly statusCode: number; readonly headers: readonly Buffer[] }
}

/** How often each outcome occurred. */
function tally(outcomes: readonly Outcome[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, code } of outcomes) {
    const key = code ?? String(status ?? 'broken')
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

function wrong(outcomes: readonly Outcome[]): string[] {
  return outcomes.flatMap(({ kind, wrong }) => (wrong === undefined ? [] : [`${kind}: ${wrong}`]))
}

const FAULTS: readonly (readonly [DataverseFault, allowed: readonly string[]])[] = [
  [{ kind: 'reset' }, ['GATEWAY_DYNAMICS_BROKE_OFF']],
  [{ kind: 'reset after commit' }, ['GATEWAY_DYNAMICS_BROKE_OFF']],
  [{ kind: 'half' }, ['broken', 'GATEWAY_DYNAMICS_BROKE_OFF']],
  [{ kind: 'close after' }, []],
  [{ kind: 'big head' }, []],
  [{ kind: 'invalid head' }, ['GATEWAY_DYNAMICS_ANSWER_INVALID', 'GATEWAY_DYNAMICS_BROKE_OFF']],
  [{ kind: 'html' }, ['502']],
  [{ kind: 'unavailable', retryAfter: 1 }, ['503']],
  [{ kind: 'unavailable' }, ['503']],
  [{ kind: 'deadlock' }, ['500']],
  [{ kind: 'delay', ms: 300 }, []],
  [{ kind: 'slow', size: 100, ms: 2 }, []],
  [{ kind: 'challenge' }, ['GATEWAY_TOKEN_REFUSED']],
  [{ kind: 'throttle', limit: 'count', retryAfter: 1 }, []],
  [{ kind: 'throttle', limit: 'concurrency', retryAfter: 1 }, []],
]

t.test(
  'for every failure of Dynamics: a response or a clear error, no write executed twice, no responses mixed up',
  async (t) => {
    const { emulator, traffic } = await underTraffic(t)
    await traffic.run(50, 200)

    for (const [fault, allowed] of FAULTS) {
      const name = JSON.stringify(fault)
      emulator.faults.dataverse.push({ ...fault, times: fault.kind === 'throttle' ? 2 : 6, skip: 3 })
      const outcomes = await traffic.run(100, 250)
      emulator.faults.clear()

      t.same(wrong(outcomes), [], name)
      const seen = Object.keys(tally(outcomes)).filter((outcome) => !/^20[014]$/.test(outcome))
      t.same(
        seen.filter((outcome) => !allowed.includes(outcome)),
        [],
        `${name}: ${JSON.stringify(tally(outcomes))}`,
      )
    }
    t.same(traffic.faults(), [])
    t.same(Object.keys(tally(await traffic.run(50, 200))), ['200', '204'], 'and afterwards all requests succeed')
  },
)

t.test('an unresponsive Dynamics: clear errors in time, and recovery at once', async (t) => {
  const { emulator, traffic } = await underTraffic(t, { REQUEST_TIMEOUT: '3s', IDLE_TIMEOUT: '3s' })

  emulator.faults.dataverse.push({ kind: 'hang', times: 10 }, { kind: 'hang in body', method: 'GET', times: 5 })
  const outcomes = await traffic.run(50, 1000)

  t.same(wrong(outcomes), [])
  const { GATEWAY_DYNAMICS_TOO_SLOW: slow = 0, broken = 0, ...good } = tally(outcomes)
  t.equal(slow, 10)
  t.ok(broken <= 5)
  t.match(Object.keys(good), /^20\d/)
  t.ok(outcomes.every(({ milliseconds }) => milliseconds < 30_000))
  t.same(wrong(await traffic.run(50, 300)), [])
  t.same(traffic.faults(), [])
})

t.test('no request is sent during a pause for a service protection limit, and callers hardly notice', async (t) => {
  const { emulator, traffic, link, lines } = await underTraffic(t)
  await traffic.run(100, 300)

  const sentWhileLimited = countSentWhileLimited(t, link.origin)
  emulator.faults.limit({ kind: 'count', seconds: 2 })
  const outcomes = await traffic.run(100, 3000)

  t.equal(sentWhileLimited(), 0)
  t.same(wrong(outcomes), [])
  t.same(
    Object.keys(tally(outcomes)).filter((outcome) => !/^20\d/.test(outcome)),
    [],
    'all within their timeout',
  )
  t.same(traffic.faults(), [])
  t.ok(lines().some(({ msg, wait }) => msg === 'sending paused by a service protection limit' && Number(wait) >= 1000))
})

t.test('a pause longer than callers wait: a 429 at once, with the remaining time', async (t) => {
  const { emulator, traffic, link, url } = await underTraffic(t, { MAX_RETRY_WAIT: '1s' })
  await traffic.run(100, 200)

  const sentWhileLimited = countSentWhileLimited(t, link.origin)
  emulator.faults.limit({ kind: 'time', seconds: 5 })
  t.equal((await fetch(`${url}/WhoAmI`)).status, 429)
  const outcomes = await traffic.run(50, 1000)

  t.equal(sentWhileLimited(), 0)
  t.same(wrong(outcomes), [])
  t.ok(tally(outcomes)['GATEWAY_LIMIT_HOLDS']! > 0)
  while ((await fetch(`${url}/WhoAmI`)).status === 429) await pause(50)
  t.same(
    Object.keys(tally(await traffic.run(50, 300))).filter((outcome) => !/^20\d/.test(outcome)),
    [],
  )
})

t.test('a throttled user lookup is a 429 for its request, and succeeds after the pause', async (t) => {
  const { emulator, url } = await underTraffic(t, { MAX_RETRY_WAIT: '500ms' })
  const asAdele = (): Promise<Response> =>
    fetch(`${url}/WhoAmI`, { headers: { 'x-user-email': 'adele.vance@contoso.com' } })

  emulator.faults.limit({ kind: 'count', seconds: 4 })
  const refused = [await asAdele(), await asAdele()]

  for (const response of refused) {
    t.equal(response.status, 429)
    t.match(response.headers.get('retry-after'), /^[1-4]$/)
    t.match(await response.json(), { error: { code: 'GATEWAY_LIMIT_HOLDS' } })
  }
  let { status } = await asAdele()
  while (status === 429) {
    await pause(50)
    status = (await asAdele()).status
  }
  t.equal(status, 200)
})

t.test('a concurrency limit of Dynamics is detected and respected', async (t) => {
  const { emulator, url, lines } = await underTraffic(t)
  emulator.switches.concurrencyLimit = 8
  emulator.switches.latency = 50

  const statuses = await Promise.all(
    Array.from({ length: 60 }, async (_, index) => (await fetch(`${url}/accounts?$top=${index + 1}`)).status),
  )

  t.same([...new Set(statuses)], [200])
  t.ok(lines().some(({ msg, limit }) => msg === 'concurrency limit changed' && Number(limit) <= 24))
})

t.test('a token that is revoked under load: no caller notices, and one new token is fetched', async (t) => {
  const { emulator, traffic } = await underTraffic(t)
  await traffic.run(50, 200)
  const before = emulator.tokenRequests.length

  emulator.revokeTokens()
  const outcomes = await traffic.run(100, 500)

  t.same(
    Object.keys(tally(outcomes)).filter((outcome) => !/^20\d/.test(outcome)),
    [],
  )
  t.equal(emulator.tokenRequests.length, before + 1)
  t.same(traffic.faults(), [])
})

t.test('an unreachable Dynamics: requests soon fail at once, and succeed again when it is back', async (t) => {
  const { link, traffic, url, lines } = await underTraffic(t)
  await traffic.run(50, 200)
  await link.cut()

  const outcomes = await traffic.run(50, 1000)
  t.same(wrong(outcomes), [])
  t.match(tally(outcomes), { GATEWAY_CIRCUIT_OPEN: Number })
  const refused = lines().filter(({ code }) => code === 'GATEWAY_CIRCUIT_OPEN')
  t.ok(refused.length > 0)
  t.ok(refused.every(({ attempts }) => attempts === 0))

  await link.restore()
  await until(async () => (await fetch(`${url}/WhoAmI`)).status === 200)
  t.same(wrong(await traffic.run(50, 300)), [])
  t.same(traffic.faults(), [])
})

t.test('a caller that disconnects cancels its request, in the queue and at Dynamics', async (t) => {
  const { emulator, url } = await underTraffic(t, { MAX_CONCURRENCY: '2' })
  emulator.faults.dataverse.always({ kind: 'hang' })
  const leaving = { first: new AbortController(), waiting: new AbortController() }
  let asked = 0
  const ask = (count: number, { signal }: AbortController): Promise<unknown> =>
    // Different URLs, because identical reads would share one request.
    Promise.all(
      Array.from({ length: count }, () => fetch(`${url}/accounts?$top=${++asked}`, { signal }).catch(() => undefined)),
    )

  const atDynamics = ask(2, leaving.first)
  while (emulator.load.current < 2) await pause(10)
  const inQueue = ask(8, leaving.waiting)
  const waiting = async (count: number): Promise<void> => {
    const link = `gateway_requests_waiting{target="dynamics"} ${count}\n`
    while (!(await (await fetch(`${url}/-/metrics`)).text()).includes(link)) await pause(10)
  }
  await waiting(8)
  // The waiting ones first: a request that gets a slot before its disconnect is seen is rightly sent.
  leaving.waiting.abort()
  await inQueue
  await waiting(0)
  leaving.first.abort()
  await atDynamics
  emulator.faults.clear()
  while (emulator.load.current > 0) await pause(10)

  t.equal(emulator.load.current, 0)
  t.equal(emulator.load.total, 2, 'those that waited were never sent')
  t.equal((await fetch(`${url}/WhoAmI`)).status, 200)
})
