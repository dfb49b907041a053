import { setTimeout as sleep } from 'node:timers/promises'

import type { Emulator } from '../../emulator/emulator.ts'
import type { RedisServer } from '../../test/support/redis-server.ts'
import { writeSettings } from './gateways.ts'
import type { GatewayProcess } from './gateways.ts'

/** The parts of the fleet. */
export interface Fleet {
  readonly emulator: Emulator
  readonly redis: RedisServer
  readonly gateways: readonly GatewayProcess[]
  /** The folder of the settings file. */
  readonly folder: string
}

/** How long a service is unavailable. */
const OUTAGE_MS = 3000

/** The disturbances, in order. Each ends by itself; `turn` counts the completed series. */
export const CHAOS: Readonly<Record<string, (fleet: Fleet, turn: number) => Promise<void>>> = {
  'a limit on the number of requests': async ({ emulator }) => {
    emulator.faults.limit({ kind: 'count', seconds: 2 })
    await sleep(OUTAGE_MS)
  },
  'connections to Dynamics are reset': async ({ emulator }) => {
    emulator.faults.dataverse.push({ kind: 'reset', times: 20 }, { kind: 'reset after commit', times: 10 })
    await sleep(1000)
  },
  'a limit on execution time, and half answers': async ({ emulator }) => {
    emulator.faults.limit({ kind: 'time', seconds: 2 })
    emulator.faults.dataverse.push({ kind: 'half', times: 10 }, { kind: 'throttle', limit: 'concurrency', times: 5 })
    await sleep(OUTAGE_MS)
  },
  'Redis is killed': async ({ redis }) => {
    await redis.kill()
    await sleep(OUTAGE_MS)
    await redis.start()
  },
  'a rolling restart': async ({ gateways }, turn) => gateways[turn % gateways.length]!.replace(),
  'Redis hangs': async ({ redis }) => {
    redis.hang()
    await sleep(OUTAGE_MS)
    redis.resume()
  },
  'Entra fails, and tokens are revoked': async ({ emulator }) => {
    emulator.faults.entra.always({ kind: 'unavailable' })
    emulator.revokeTokens()
    await sleep(OUTAGE_MS)
    emulator.faults.entra.clear()
  },
  'settings change': async ({ emulator, gateways, folder }, turn) => {
    writeSettings(folder, emulator, turn % 2 === 0 ? '9s' : '10s')
    for (const { reload } of gateways) reload()
    await sleep(1000)
  },
  'Redis is full': async ({ redis }) => {
    await redis.command('CONFIG SET maxmemory 1')
    await sleep(OUTAGE_MS)
    await redis.command('CONFIG SET maxmemory 0')
  },
  'Redis forgets everything': async ({ redis }) => {
    await redis.command('FLUSHALL')
    await sleep(500)
  },
}
