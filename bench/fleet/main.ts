/**
 * Three replicas of the built bundle with Redis, 150 operations a second of 1,000 users, and chaos:
 * `node dist/bench/fleet/main.js --minutes 10`. Ends with status 1 if an operation was lost, doubled or run as the
 * wrong user, or if the memory of a replica keeps growing. Needs redis-server.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

import { generate } from 'selfsigned'

import { startEmulator } from '../../emulator/emulator.ts'
import { redisServer } from '../../test/support/redis-server.ts'
import { CHAOS } from './chaos.ts'
import { startGateway, writeSettings } from './gateways.ts'
import type { GatewayProcess } from './gateways.ts'
import { fleetTraffic, USERS } from './traffic.ts'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '2' } } })
const REPLICAS = 3
const PER_SECOND = 150
/** The time between two disturbances. */
const CALM_MS = 2000
/** The most memory of a replica at the end, as a multiple of that in the first third. */
const MEMORY_GROWTH = 1.3
/** The memory that a replica may always have: V8 uses it under load. */
const USUAL_MIB = 200
/** A connection to Redis that failed several times is tried every 20 s. */
const RECONNECT_MS = 45_000

const cleanUp: (() => unknown)[] = []
const folder = mkdtempSync(join(tmpdir(), 'fleet-'))
const status = await run().finally(async () => {
  for (const clean of cleanUp.reverse()) await clean()
})
rmSync(folder, { recursive: true, force: true })
process.exit(status)

async function run(): Promise<number> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  })
  writeFileSync(join(folder, 'ca.pem'), cert)
  const emulator = await startEmulator({ tls: { key, cert } })
  cleanUp.push(emulator.close)
  const redis = await redisServer({ teardown: (clean) => cleanUp.push(clean) })
  writeSettings(folder, emulator, '10s')
  const gateways = await Promise.all(Array.from({ length: REPLICAS }, () => startGateway(folder, emulator, redis.url)))
  for (const { kill } of gateways) cleanUp.push(kill)
  const traffic = fleetTraffic(gateways, emulator)
  cleanUp.push(traffic.close)

  const duration = Number(values.minutes) * 60_000
  const began = performance.now()
  const memory: number[] = []
  const sampling = setInterval(() => memory.push(...gateways.map((gateway) => gateway.memory() ?? 0)), 1000)
  const done = traffic.run(PER_SECOND, duration)
  const disturbances = await disturb(began + duration)
  await done
  clearInterval(sampling)
  const connected = await reconnected(gateways)

  const { operations, lost, executedTwice: doubled, asWrongUser: asSomebodyElse, median, longest } = traffic.verdict()
  const third = Math.floor(memory.length / 3)
  const [early, late] = [Math.max(...memory.slice(0, third)), Math.max(...memory.slice(-third))]
  console.log(`${operations} operations of ${USERS} users in ${values.minutes} min, ${disturbances} disturbances`)
  console.log(`refused or broken, and repeated: ${JSON.stringify(Object.fromEntries(traffic.repeats))}`)
  console.log(`until success: median ${Math.round(median)} ms, longest ${Math.round(longest)} ms`)
  console.log(`requests during an announced pause: ${emulator.faults.violations}`)
  console.log(
    `memory of a replica: up to ${Math.round(early)} MiB in the first third, ${Math.round(late)} MiB in the last`,
  )
  const faults = [
    ...lost.map((text) => `lost: ${text}`),
    ...doubled.map((text) => `doubled: ${text}`),
    ...asSomebodyElse.map((text) => `as somebody else: ${text}`),
    ...(late > Math.max(early * MEMORY_GROWTH, USUAL_MIB) ? ['memory grows'] : []),
    ...(connected ? [] : ['not all replicas are connected again']),
  ]
  console.log(`lost ${lost.length}, doubled ${doubled.length}, as somebody else ${asSomebodyElse.length}`)
  console.log(faults.length === 0 ? 'well' : faults.slice(0, 20).join('\n'))
  return faults.length === 0 ? 0 : 1

  /** Causes one disturbance after the other until `end`. */
  async function disturb(end: number): Promise<number> {
    const entries = Object.entries(CHAOS)
    let count = 0
    for (await sleep(CALM_MS); performance.now() < end - CALM_MS; count++) {
      const [name, work] = entries[count % entries.length]!
      console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${name}`)
      const before = emulator.faults.violations
      await work({ emulator, redis, gateways, folder }, Math.floor(count / entries.length))
      const premature = emulator.faults.violations - before
      if (premature > 0) console.log(`${' '.repeat(10)} ${premature} requests before the end of the pause`)
      await sleep(CALM_MS)
    }
    return count
  }
}

/** Whether all replicas are connected to Redis again in time. */
async function reconnected(gateways: readonly GatewayProcess[]): Promise<boolean> {
  for (const end = performance.now() + RECONNECT_MS; performance.now() < end; await sleep(500)) {
    const pages = await Promise.all(gateways.map(({ metrics }) => metrics()))
    if (pages.every((page) => /^gateway_replica_alone\S* 0$/m.test(page))) return true
  }
  return false
}
