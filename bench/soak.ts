import { fork } from 'node:child_process'
import { once } from 'node:events'

import { startEmulator } from '../emulator/emulator.ts'
import type { DataverseFault } from '../emulator/emulator.ts'
import { createTcpLink } from '../test/support/gateway-on-sockets.ts'
import { mixedTraffic } from '../test/support/mixed-traffic.ts'
import type { Outcome } from '../test/support/mixed-traffic.ts'
import type { ResourceUsage } from './soak-gateway.ts'

// Minutes of mixed traffic with a fault every few seconds: `node dist/bench/soak.js 10`. Shows what the gateway
// uses before, during and after; ends with status 1 if a request was executed twice, mixed up or truncated, or if
// resources were not released.

const minutes = Number(process.argv[2] ?? 1)
const RATE = 100
/** Time for the gateway to release its memory after the faults. */
const RECOVERY_MS = 15_000

const FAULTS: readonly DataverseFault[] = [
  { kind: 'reset', times: 20 },
  { kind: 'reset after commit', times: 20 },
  { kind: 'half', times: 20 },
  { kind: 'close after', times: 50 },
  { kind: 'hang', times: 5 },
  { kind: 'hang in body', times: 5 },
  { kind: 'invalid head', times: 10 },
  { kind: 'html', times: 20 },
  { kind: 'unavailable', retryAfter: 1, times: 20 },
  { kind: 'deadlock', times: 10 },
  { kind: 'delay', ms: 1000, times: 50 },
  { kind: 'slow', size: 50, ms: 5, times: 50 },
  { kind: 'challenge', times: 3 },
  { kind: 'throttle', limit: 'count', retryAfter: 1 },
  { kind: 'throttle', limit: 'concurrency', retryAfter: 1, times: 5 },
]

const emulator = await startEmulator()
const line = await createTcpLink(Number(new URL(emulator.origin).port))
const gateway = fork(new URL('./soak-gateway.js', import.meta.url), {
  execArgv: ['--expose-gc'],
  env: {
    ...process.env,
    DYNAMICS_URL: line.origin,
    DYNAMICS_SCOPE: `${emulator.origin}/.default`,
    EMULATOR: emulator.origin,
    PORT: '0',
    AZURE_TENANT_ID: emulator.tenantId,
    AZURE_CLIENT_ID: emulator.clientId,
    AZURE_CLIENT_SECRET: emulator.clientSecret,
    REQUEST_TIMEOUT: '3s',
    IDLE_TIMEOUT: '2s',
    MAX_RETRY_WAIT: '5s',
  },
})
const [url] = (await once(gateway, 'message')) as [string]
const traffic = mixedTraffic(url, emulator, true)
const outcomes = new Map<string, number>()
const wrong: string[] = []
/** Creates with an `Idempotency-Key`: all, and those that ended with success. */
const keyed = { sent: 0, created: 0 }

await work(10_000)
await work(RECOVERY_MS, 1)
const before = await held()
show('before', before)
for (let second = 0; second < minutes * 60; second += 4) {
  const number = second / 4
  if (number % 8 === 7) {
    await line.cut()
    await work(1000)
    await line.restore()
    await work(3000)
  } else {
    if (number % 11 === 5) emulator.revokeTokens()
    if (number % 13 === 6) emulator.faults.limit({ kind: number % 2 === 0 ? 'count' : 'time', seconds: 2 })
    emulator.faults.dataverse.push(FAULTS[number % FAULTS.length]!)
    await work(4000)
    emulator.faults.clear()
  }
  if (number % 15 === 14) show(`${Math.round(second / 6) / 10} min`, await held())
}
await work(5000)
await work(RECOVERY_MS, 1)
const after = await held()
show('after', after)

const twice = traffic.faults()
console.log(Object.fromEntries([...outcomes].sort()))
console.log(`creates with a key: ${keyed.sent}, of which ${keyed.created} succeeded`)
const verdicts = [
  ...twice,
  ...wrong.slice(0, 20),
  ...(emulator.faults.violations > 0 ? [`${emulator.faults.violations} requests while a limit held`] : []),
  // Idle connections to Dynamics are kept for a minute.
  ...(after.descriptors > before.descriptors + 64 ? ['descriptors are not given back'] : []),
  ...(after.timers > before.timers + 5 ? ['timers are not given back'] : []),
  ...(after.rss > before.rss * 1.2 ? ['memory is not given back'] : []),
]
console.log(verdicts.length === 0 ? 'well' : verdicts.join('\n'))
process.exitCode = verdicts.length === 0 ? 0 : 1
await traffic.close()
gateway.disconnect()
await line.cut()
await emulator.close()

async function work(milliseconds: number, perSecond = RATE): Promise<void> {
  for (const { kind, status, code, wrong: fault } of (await traffic.run(perSecond, milliseconds)) as Outcome[]) {
    const key = code ?? String(status ?? 'broken')
    outcomes.set(key, (outcomes.get(key) ?? 0) + 1)
    if (kind === 'keyed create') {
      keyed.sent++
      if (status === 201 || status === 204) keyed.created++
    }
    if (fault !== undefined) wrong.push(`${kind}: ${fault}`)
  }
}

async function held(): Promise<ResourceUsage> {
  gateway.send('what do you hold?')
  return ((await once(gateway, 'message')) as [ResourceUsage])[0]
}

function show(when: string, { rss, heap, reserved, descriptors, timers }: ResourceUsage): void {
  console.log(
    `${when.padEnd(10)} rss ${mebibytes(rss)} MiB, heap ${mebibytes(heap)} of ${mebibytes(reserved)} MiB, ` +
      `${descriptors} descriptors, ${timers} timers`,
  )
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1)
}
