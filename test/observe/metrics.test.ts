import t from 'tap'
import type { Test } from 'tap'

import type { ConnectionState } from '../../src/dynamics/connect.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import type { Metrics } from '../../src/observe/metrics.ts'

const ANY = {
  target: 'sales',
  method: 'GET',
  status: 200,
  code: undefined,
  caller: 'billing',
  own: 1,
  wait: 0,
  dynamics: 30,
}

function metrics(): Metrics {
  return createMetrics({ lag: () => 12, overloaded: () => false })
}

/** The lines of the gateway's own metrics. */
async function lines(metrics: Metrics): Promise<string[]> {
  return (await metrics.page(undefined)).text.split('\n').filter((line) => line.startsWith('gateway_'))
}

async function includes(t: Test, metrics: Metrics, ...expected: string[]): Promise<void> {
  const found = await lines(metrics)
  for (const line of expected) t.ok(found.includes(line), line)
}

t.test('counts requests by target, method, status, error and caller, and measures their phases', async (t) => {
  const all = metrics()
  all.requestDone(ANY)
  all.requestDone({ ...ANY, status: 204 })
  all.requestDone({
    ...ANY,
    status: 429,
    code: 'LIMIT_HOLDS',
    method: 'POST',
    caller: 'crm "x"\n',
    wait: 2000,
    dynamics: 0,
  })
  all.requestDone({ ...ANY, method: 'BREW' })
  all.requestDone({ ...ANY, caller: 'x'.repeat(100), status: 999 })

  await includes(
    t,
    all,
    'gateway_requests_total{target="sales",method="GET",status="200",code="",caller="billing"} 1',
    'gateway_requests_total{target="sales",method="GET",status="204",code="",caller="billing"} 1',
    'gateway_requests_total{target="sales",method="POST",status="429",code="LIMIT_HOLDS",caller="crm \\"x\\"\\n"} 1',
    'gateway_requests_total{target="sales",method="other",status="200",code="",caller="billing"} 1',
    `gateway_requests_total{target="sales",method="GET",status="999",code="",caller="${'x'.repeat(64)}"} 1`,
    'gateway_own_seconds_bucket{le="0.001"} 5',
    'gateway_own_seconds_count 5',
    'gateway_wait_seconds_bucket{le="1"} 4',
    'gateway_wait_seconds_bucket{le="2.5"} 5',
    'gateway_wait_seconds_sum 2',
    'gateway_dynamics_seconds_bucket{le="0.025"} 1',
    'gateway_dynamics_seconds_bucket{le="+Inf"} 5',
    'gateway_event_loop_delay_seconds 0.012',
    'gateway_overloaded 0',
  )
})

const id = 'of-a-request'

t.test('counts what happens on the way to Dynamics', async (t) => {
  const all = metrics()
  const watch = all.watch('sales')
  watch({ kind: 'limit', limit: 'count', wait: 1000, waits: true, id })
  watch({ kind: 'limit', limit: 'time', wait: 100_000, waits: false, id })
  watch({ kind: 'request-paused', wait: 1000, waits: true, id })
  watch({ kind: 'request-paused', wait: 1000, waits: false, id })
  watch({ kind: 'pause', wait: 1000, id })
  watch({ kind: 'retry', reason: 'broke-off', id })
  watch({ kind: 'retry-budget', reason: 'busy', id })
  watch({ kind: 'queue-full', id })
  watch({ kind: 'circuit', state: 'open', id })
  watch({ kind: 'circuit', state: 'closed' })
  watch({ kind: 'token-refused', repeated: true, id })
  watch({ kind: 'token-refused', repeated: false, id })
  watch({ kind: 'concurrency', limit: 4, reason: 'hint' })

  await includes(
    t,
    all,
    'gateway_limits_total{target="sales",limit="count",outcome="waited"} 1',
    'gateway_limits_total{target="sales",limit="time",outcome="passed on"} 1',
    'gateway_held_total{target="sales",outcome="waited"} 1',
    'gateway_held_total{target="sales",outcome="turned away"} 1',
    'gateway_holds_total{target="sales"} 1',
    'gateway_retries_total{target="sales",reason="broke-off"} 1',
    'gateway_retries_denied_total{target="sales",reason="busy"} 1',
    'gateway_queue_full_total{target="sales"} 1',
    'gateway_circuit_opened_total{target="sales"} 1',
    'gateway_token_refused_total{target="sales",outcome="sent again"} 1',
    'gateway_token_refused_total{target="sales",outcome="given up"} 1',
    'gateway_concurrency_changes_total{target="sales",reason="hint"} 1',
  )
})

t.test('says whether the gateway is overloaded', async (t) => {
  let overloaded = false
  const all = createMetrics({ lag: () => 250, overloaded: () => overloaded })
  await includes(t, all, 'gateway_overloaded 0', 'gateway_event_loop_delay_seconds 0.25')
  overloaded = true
  await includes(t, all, 'gateway_overloaded 1')
})

t.test('shows the current state', async (t) => {
  const all = metrics()
  let connection: ConnectionState = {
    circuit: 'closed',
    running: 3,
    waiting: 2,
    waitingInBackground: 1,
    limit: 52,
    limitReason: 'ceiling',
    share: undefined,
    pauseMs: 0,
    waitingForPause: 0,
    rates: undefined,
  }
  all.show('sales', {
    credential: () => ({
      token: 'stale',
      validFor: 90_000,
      renewals: 7,
      failures: 1,
      lastFailure: 'Entra is away',
      credentialEnds: Date.now() + 86_400_000,
    }),
    connection: () => connection,
    users: () => ({ users: 12, unknown: 3 }),
    sharing: () => undefined,
  })

  await includes(
    t,
    all,
    'gateway_token_state{target="sales",state="fresh"} 0',
    'gateway_token_state{target="sales",state="stale"} 1',
    'gateway_token_expiry_seconds{target="sales"} 90',
    'gateway_credential_expiry_seconds{target="sales"} 86400',
    'gateway_token_renewals_total{target="sales"} 7',
    'gateway_token_failures_total{target="sales"} 1',
    'gateway_circuit_open{target="sales"} 0',
    'gateway_requests_running{target="sales"} 3',
    'gateway_requests_waiting{target="sales"} 2',
    'gateway_background_requests_waiting{target="sales"} 1',
    'gateway_concurrency_limit{target="sales"} 52',
    'gateway_users_known{target="sales"} 12',
    'gateway_users_unknown{target="sales"} 3',
  )
  t.notMatch((await lines(all)).join('\n'), /gateway_remaining_requests\{/, 'Dynamics has not reported anything yet')

  connection = {
    ...connection,
    circuit: 'open',
    pauseMs: 1500,
    waitingForPause: 9,
    rates: { requests: 5999, seconds: 1200, parallel: 48 },
  }
  await includes(
    t,
    all,
    'gateway_circuit_open{target="sales"} 1',
    'gateway_hold_seconds{target="sales"} 1.5',
    'gateway_requests_held{target="sales"} 9',
    'gateway_remaining_requests{target="sales"} 5999',
    'gateway_remaining_seconds{target="sales"} 1200',
    'gateway_suggested_parallel{target="sales"} 48',
  )
})

t.test('has fewer than a thousand series whatever callers send, and counts every request', async (t) => {
  const all = metrics()
  all.show('sales', {
    credential: () => ({ token: 'fresh', validFor: 1, renewals: 1, failures: 0, lastFailure: undefined }),
    connection: () => ({
      circuit: 'closed',
      running: 0,
      waiting: 0,
      waitingInBackground: 0,
      limit: 52,
      limitReason: 'ceiling',
      share: undefined,
      pauseMs: 0,
      waitingForPause: 0,
      rates: { requests: 1, seconds: 1, parallel: 1 },
    }),
    users: () => ({ users: 0, unknown: 0 }),
    sharing: () => undefined,
  })
  const methods = ['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']
  for (let request = 0; request < 100_000; request++) {
    all.requestDone({
      ...ANY,
      caller: `caller-${request % 5000}`,
      method: methods[request % 8]!,
      status: 100 + (request % 500),
    })
  }

  const series = (await all.page(undefined)).text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  t.ok(series.length < 1000, `${series.length} series`)
  const requests = series
    .filter((line) => line.startsWith('gateway_requests_total'))
    .map((line) => Number(line.split(' ').at(-1)))
  t.equal(
    requests.reduce((sum, count) => sum + count),
    100_000,
  )
  t.ok(series.some((line) => line.includes('caller="other"')))
})

t.test('many targets share series, which stay below a thousand', async (t) => {
  const all = metrics()
  const limits = ['count', 'time', 'concurrency', 'other'] as const
  const reasons = ['no-connection', 'stale-connection', 'broke-off', 'deadlock', 'busy'] as const
  for (let number = 0; number < 200; number++) {
    const watch = all.watch(`target-${number}`)
    for (const waits of [true, false]) {
      for (const limit of limits) watch({ kind: 'limit', limit, wait: 1, waits, id })
      watch({ kind: 'request-paused', wait: 1, waits, id })
      watch({ kind: 'token-refused', repeated: waits, id })
    }
    for (const reason of reasons) {
      watch({ kind: 'retry', reason, id })
      watch({ kind: 'retry-budget', reason, id })
    }
    for (const outcome of ['created', 'replayed', 'recovered', 'reused', 'id differs'] as const) {
      watch({ kind: 'keyed-create', outcome, id })
    }
    watch({ kind: 'pause', wait: 1, id })
    watch({ kind: 'queue-full', id })
    watch({ kind: 'circuit', state: 'open', id })
    all.show(`target-${number}`, {
      credential: () => ({
        token: number === 100 ? 'none' : 'fresh',
        validFor: 1000 * (200 - number),
        renewals: 1,
        failures: 0,
        lastFailure: undefined,
        ...(number % 2 === 0 ? { credentialEnds: Date.now() + 86_400_000 } : {}),
      }),
      connection: () => ({
        circuit: number === 150 ? 'open' : 'closed',
        running: 2,
        waiting: 0,
        waitingInBackground: 0,
        limit: 52,
        limitReason: 'ceiling',
        share: undefined,
        pauseMs: 10 * number,
        waitingForPause: 0,
        rates: { requests: 1000 + number, seconds: 1, parallel: 1 },
      }),
      users: () => ({ users: 1, unknown: 0 }),
      sharing: () => ({ replicas: 2, alone: undefined }) as never,
    })
    for (let request = 0; request < 10; request++) {
      all.requestDone({ ...ANY, target: `target-${number}`, caller: `caller-${request}` })
    }
  }

  const page = (await all.page(undefined)).text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  t.ok(page.length < 1000, `${page.length} series`)
  await includes(
    t,
    all,
    'gateway_requests_running{target="target-0"} 2',
    'gateway_requests_running{target="other"} 388',
    'gateway_holds_total{target="other"} 194',
    'gateway_circuit_open{target="other"} 1',
    'gateway_hold_seconds{target="other"} 1.99',
    'gateway_token_expiry_seconds{target="other"} 1',
    'gateway_token_state{target="other",state="none"} 1',
    'gateway_token_state{target="other",state="stale"} 0',
    'gateway_remaining_requests{target="other"} 1006',
    'gateway_replicas{target="other"} 2',
  )
  t.notOk(page.some((line) => line.includes('gateway_requests_running{target="target-6"}')))
})

t.test('OpenMetrics is served on request, with one exemplar per bucket', async (t) => {
  const all = metrics()
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  all.requestDone(ANY)
  all.requestDone({ ...ANY, traceId })

  const { contentType, text } = await all.page('application/openmetrics-text;version=1.0.0,text/plain;q=0.5')
  const { contentType: other, text: plain } = await all.page('text/plain')

  t.equal(contentType, 'application/openmetrics-text; version=1.0.0; charset=utf-8')
  t.equal(other, 'text/plain; version=0.0.4; charset=utf-8')
  t.match(
    text,
    /^gateway_dynamics_seconds_bucket\{le="0.05"\} 2 # \{trace_id="0af7651916cd43dd8448eb211c80319c"\} 0.03 [\d.]+$/m,
  )
  t.match(text, /^# TYPE gateway_requests counter$/m)
  t.match(text, /^gateway_requests_total\{.*\} 2$/m)
  t.match(text, /# EOF\n$/)
  t.notMatch(plain, /trace_id/)
  t.match(plain, /^# TYPE gateway_requests_total counter$/m)
})
