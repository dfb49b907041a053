import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Emulator } from '../../emulator/emulator.ts'
import { freePort, statusOf } from '../../test/support/rolling-update.ts'

/** A replica: the built bundle in its own process, always on the same port. */
export interface GatewayProcess {
  readonly port: number
  /** Whether a load balancer would send requests to it. */
  readonly ready: () => boolean
  /** Resident memory in MiB; `undefined` while it is replaced. */
  readonly memory: () => number | undefined
  readonly metrics: () => Promise<string>
  /** Stops it as an orchestrator does, and starts its replacement. */
  readonly replace: () => Promise<void>
  /** Reads the settings again. */
  readonly reload: () => void
  readonly kill: () => void
}

const BUNDLE = join(import.meta.dirname, '../../bundle/gateway.js')
const PROBE_INTERVAL_MS = 50

/** Writes the settings file that all replicas read. */
export function writeSettings(folder: string, emulator: Emulator, maxRetryWait: string): void {
  const address = emulator.origin.replace('127.0.0.1', 'localhost')
  const target = {
    url: address,
    authorityHost: address,
    credential: {
      kind: 'client-secret',
      tenantId: emulator.tenantId,
      clientId: emulator.clientId,
      secret: { env: 'SECRET' },
    },
    impersonation: { lookupsPerSecond: 200 },
    requestTimeout: '20s',
    maxRetryWait,
  }
  writeFileSync(join(folder, 'gateway.json'), JSON.stringify({ targets: [target] }))
}

/** Starts one with the settings file in `folder`, and waits until it is ready. */
export async function startGateway(folder: string, emulator: Emulator, redis: string): Promise<GatewayProcess> {
  const port = await freePort()
  let isReady = false
  let isEnded = false
  let child = await start()
  void probe()
  return {
    port,
    ready: () => isReady,
    memory: () => residentMemory(child.pid!),
    metrics: async () => (await fetch(`http://127.0.0.1:${port}/-/metrics`)).text(),
    async replace() {
      child.kill('SIGTERM')
      await once(child, 'exit')
      child = await start()
    },
    reload: () => void child.kill('SIGHUP'),
    kill() {
      isEnded = true
      child.kill('SIGKILL')
    },
  }

  async function start(): Promise<ChildProcess> {
    const log = openSync(join(folder, `${port}.log`), 'a')
    const started = spawn(process.execPath, [BUNDLE, 'serve', '--config', 'gateway.json'], {
      cwd: folder,
      env: {
        PATH: process.env['PATH'],
        PORT: String(port),
        SECRET: emulator.clientSecret,
        REDIS_URL: redis,
        NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'),
        LOG_FORMAT: 'json',
        SHUTDOWN_DELAY: '300ms',
      },
      stdio: ['ignore', log, log],
    })
    while ((await statusOf(port, '/-/readyz')) !== 200) {
      if (started.exitCode !== null) throw new Error(`a gateway ended with ${started.exitCode}: see ${folder}`)
      await sleep(PROBE_INTERVAL_MS)
    }
    return started
  }

  async function probe(): Promise<void> {
    for (; !isEnded; await sleep(PROBE_INTERVAL_MS)) isReady = (await statusOf(port, '/-/readyz')) === 200
  }
}

function residentMemory(pid: number): number | undefined {
  try {
    const kibibytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kibibytes === undefined ? undefined : Number(kibibytes) / 1024
  } catch {
    return undefined
  }
}
