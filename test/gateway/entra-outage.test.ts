import t from 'tap'

import type { EntraFault } from '../../emulator/emulator.ts'
import { gatewayOnSockets } from '../support/gateway-on-sockets.ts'
import { mixedTraffic } from '../support/mixed-traffic.ts'
import { until } from '../support/until.ts'

t.setTimeout(600_000)

const FAULTS: readonly EntraFault[] = [
  { kind: 'reset' },
  { kind: 'hang' },
  { kind: 'throttle', retryAfter: 1 },
  { kind: 'throttle' },
  { kind: 'crash' },
  { kind: 'html', status: 503 },
  { kind: 'empty' },
  { kind: 'null' },
  { kind: 'garbage' },
  { kind: 'no token' },
  { kind: 'half' },
  { kind: 'unavailable', retryAfter: 1 },
  { kind: 'answer', status: 200, body: '{"token_type":"Bearer","expires_in":3599,"access_token":""}' },
]

t.test(
  'for every failure of Entra before the first token: 503 with Retry-After, nothing is sent, and quick recovery',
  async (t) => {
    for (const fault of FAULTS) {
      const name = JSON.stringify(fault)
      const gateway = await gatewayOnSockets({ TOKEN_TIMEOUT: '500ms' })
      const { emulator, url } = gateway
      // The first token was fetched at startup; it is revoked.
      await until(async () => (await fetch(`${url}/-/readyz`)).status === 200)
      emulator.faults.entra.always(fault)
      emulator.revokeTokens()

      const began = performance.now()
      const refusals = await Promise.all(Array.from({ length: 5 }, () => fetch(`${url}/WhoAmI`)))
      t.ok(performance.now() - began < 60_000, `${name}: in time`)
      for (const response of refusals) {
        t.ok(response.status === 503 || response.status === 502, `${name}: ${response.status}`)
        if (response.status === 503) t.match(response.headers.get('retry-after'), /^\d+$/, name)
        const text = await response.text()
        t.match(text, /"code":"GATEWAY_/, name)
        t.notMatch(text, /AADSTS|login\.|127\.0|http:/, name)
      }
      t.equal(emulator.executions, 0)

      emulator.faults.clear()
      await until(async () => (await fetch(`${url}/WhoAmI`)).status === 200)
      await gateway.close()
    }
  },
)

t.test('with a cached token, an outage of Entra has no effect', async (t) => {
  const gateway = await gatewayOnSockets({ TOKEN_TIMEOUT: '500ms' }, { tokenLifetime: 60 })
  const { emulator, url } = gateway
  const traffic = mixedTraffic(url, emulator)
  t.teardown(async () => {
    await traffic.close()
    await gateway.close()
  })
  await until(async () => (await fetch(`${url}/WhoAmI`)).status === 200)

  for (const fault of FAULTS) {
    emulator.faults.entra.always(fault)
    const outcomes = await traffic.run(50, 200)
    t.same(
      outcomes.filter(({ status }) => status === undefined || status >= 300),
      [],
      JSON.stringify(fault),
    )
  }
})
