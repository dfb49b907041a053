import { readdirSync } from 'node:fs'

import { pino } from 'pino'

import { dispatcherTo } from '../emulator/http/dispatcher.ts'
import { run } from '../src/commands/serve/run.ts'
import { loadSettings } from '../src/config/load.ts'
import { createAgent } from '../src/outbound/agent.ts'
import { EntraRouter } from '../test/support/gateway-on-sockets.ts'

// The gateway of the soak test, in its own process so that its memory can be measured. Started by `soak.ts`, which
// is answered on every message with what the process holds.

/** The memory and handles of a process, after a garbage collection. */
export interface ResourceUsage {
  readonly rss: number
  readonly heap: number
  /** Memory that V8 has from the system, including memory that it can reuse. */
  readonly reserved: number
  readonly descriptors: number
  readonly timers: number
}

const settings = loadSettings(process.env, undefined)
const own = createAgent({ connectTimeout: 5000, connections: 64 })
const entra = dispatcherTo(process.env['EMULATOR']!, new Set(['login.microsoftonline.com']), undefined)
const { address } = await run(settings, pino({ level: 'warn' }, pino.destination('/dev/null')), {
  ...own,
  reads: new EntraRouter(own.reads, entra),
})
process.send!(address)

process.on('message', () => {
  globalThis.gc?.()
  const resourceUsage: ResourceUsage = {
    rss: process.memoryUsage().rss,
    heap: process.memoryUsage().heapUsed,
    reserved: process.memoryUsage().heapTotal,
    descriptors: readdirSync('/proc/self/fd').length,
    timers: process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length,
  }
  process.send!(resourceUsage)
})
process.on('disconnect', () => process.exit())
