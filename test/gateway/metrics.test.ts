import t from 'tap'

import { gatewayOnSockets } from '../support/gateway-on-sockets.ts'
import type { GatewayOnSockets } from '../support/gateway-on-sockets.ts'

t.setTimeout(600_000)

/** The metrics as they are served, without their comments. */
async function series({ url }: GatewayOnSockets): Promise<string[]> {
  const response = await fetch(`${url}/-/metrics`)
  if (response.headers.get('content-type') !== 'text/plain; version=0.0.4; charset=utf-8') {
    throw new Error('these are no metrics')
  }
  return (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

/** The value of the only series that begins with `name`. */
function value(all: readonly string[], name: string): number {
  const found = all.filter((line) => line.startsWith(`${name} `) || line.startsWith(name))
  if (found.length !== 1) throw new Error(`${found.length} series begin with ${name}`)
  return Number(found[0]!.split(' ').at(-1))
}

t.test('throttling, retries and refusals of a request are counted', async (t) => {
  const gateway = await gatewayOnSockets()
  t.teardown(gateway.close)
  const { url, emulator } = gateway
  emulator.faults.dataverse.push(
    { path: 'WhoAmI', kind: 'throttle', limit: 'count', retryAfter: 1 },
    { kind: 'reset' },
    { kind: 'challenge' },
  )

  for (let request = 0; request < 5; request++) {
    const response = await fetch(`${url}/WhoAmI`, { headers: { 'x-user-email': 'adele.vance@contoso.com' } })
    t.equal(response.status, 200)
    t.match(
      response.headers.get('server-timing'),
      /token;dur=[\d.]+, user;dur=[\d.]+, wait;dur=[\d.]+, dynamics;dur=[\d.]+/,
    )
  }
  await fetch(`${url}/nothing`).then((response) => response.text())

  const all = await series(gateway)
  t.equal(value(all, 'gateway_requests_total{target="dynamics",method="GET",status="200"'), 5)
  t.equal(value(all, 'gateway_requests_total{target="dynamics",method="GET",status="404"'), 1)
  t.equal(value(all, 'gateway_limits_total{target="dynamics",limit="count",outcome="waited"}'), 1)
  t.equal(value(all, 'gateway_holds_total{target="dynamics"}'), 1)
  t.equal(value(all, 'gateway_retries_total{target="dynamics",reason='), 1)
  t.equal(value(all, 'gateway_token_refused_total{target="dynamics",outcome="sent again"}'), 1)
  t.equal(value(all, 'gateway_token_state{target="dynamics",state="fresh"}'), 1)
  t.ok(value(all, 'gateway_token_expiry_seconds{target="dynamics"}') > 3000)
  t.equal(value(all, 'gateway_token_renewals_total{target="dynamics"}'), 2)
  t.equal(value(all, 'gateway_users_known{target="dynamics"}'), 1)
  t.ok(value(all, 'gateway_remaining_requests{target="dynamics"}') > 5000)
  t.equal(value(all, 'gateway_suggested_parallel{target="dynamics"}'), 48)
  t.equal(value(all, 'gateway_circuit_open{target="dynamics"}'), 0)
  t.ok(value(all, 'gateway_wait_seconds_sum') >= 0.9)
  t.equal(value(all, 'gateway_dynamics_seconds_count'), 6)
  t.ok(value(all, 'gateway_own_seconds_sum') > 0)
  t.ok(value(all, 'gateway_event_loop_delay_seconds') >= 0)
  t.ok(value(all, 'process_resident_memory_bytes') > 0)
})

t.test('no value from a request becomes a label', async (t) => {
  const gateway = await gatewayOnSockets()
  t.teardown(gateway.close)
  const before = (await series(gateway)).length

  for (let batch = 0; batch < 5; batch++) {
    await Promise.all(
      Array.from({ length: 20 }, async (_, number) => {
        const id = `random${batch}x${number}`
        const response = await fetch(`${gateway.url}/${id}?$filter=${id}`, {
          headers: { 'x-user-email': `${id}@contoso.com`, 'user-agent': id, 'x-request-id': id },
        })
        await response.text()
      }),
    )
  }

  const after = await series(gateway)
  t.ok(after.length < 1000 && after.length < before + 60, `${before} series, then ${after.length}`)
  t.notMatch(after.join('\n'), /random|@/)
})
