import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { Writable } from 'node:stream'

import { pino } from 'pino'
import { Dispatcher } from 'undici'

import { startEmulator } from '../../emulator/emulator.ts'
import type { Emulator, EmulatorOptions } from '../../emulator/emulator.ts'
import { run } from '../../src/commands/serve/run.ts'
import type { Running } from '../../src/commands/serve/run.ts'
import { loadSettings } from '../../src/config/load.ts'
import { logOptions } from '../../src/observe/log.ts'
import { createAgent } from '../../src/outbound/agent.ts'
import type { OutboundAgent } from '../../src/outbound/agent.ts'
import { patient } from './patience.ts'

/** A gateway with its own agent, on real connections of its own keeping, before an emulated Dynamics. */
export interface OnSockets {
  readonly url: string
  readonly running: Running
  readonly emulator: Emulator
  /** The line between the gateway and Dynamics. */
  readonly line: Line
  readonly lines: () => Record<string, unknown>[]
  readonly close: () => Promise<void>
}

/** Starts both. Only Entra is reached by the emulator's own dispatcher: it is known by a name, not by an address. */
export async function gatewayOnSockets(
  variables: NodeJS.ProcessEnv = {},
  options: EmulatorOptions = {},
): Promise<OnSockets> {
  const emulator = await startEmulator(options)
  const line = await layLine(Number(new URL(emulator.origin).port))
  const settings = loadSettings(
    {
      DYNAMICS_URL: line.origin,
      DYNAMICS_SCOPE: `${emulator.origin}/.default`,
      AZURE_TENANT_ID: emulator.tenantId,
      AZURE_CLIENT_ID: emulator.clientId,
      AZURE_CLIENT_SECRET: emulator.clientSecret,
      PORT: '0',
      SHUTDOWN_TIMEOUT: '1s',
      ...variables,
    },
    undefined,
  )
  const own = createAgent({ connectTimeout: 60_000, connections: 64 })
  const agent: OutboundAgent = { ...own, reads: new EntraBeside(own.reads, emulator.dispatcher) }
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
  const running = await run(patient(settings), log, agent)
  return {
    url: running.address,
    running,
    emulator,
    line,
    lines: () =>
      written
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    async close() {
      running.stop()
      running.stop()
      await running.stopped
      await own.destroy().catch(() => {})
      await line.cut()
      await emulator.close()
    },
  }
}

/** A line that can be cut. */
export interface Line {
  readonly origin: string
  /** Connections on it. */
  readonly connections: () => number
  /** Breaks all connections; new ones are refused. */
  readonly cut: () => Promise<void>
  readonly restore: () => Promise<void>
}

/** A line to a port of this machine. */
export async function layLine(to: number): Promise<Line> {
  const open = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one)
      one
        .on('error', () => other.destroy())
        .on('close', () => {
          open.delete(one)
          other.destroy()
        })
    }
    // A reset stays a reset.
    far.on('error', () => near.resetAndDestroy())
    near.pipe(far).pipe(near)
  })
  let port = 0
  const restore = (): Promise<void> =>
    new Promise((resolve) => {
      server.listen(port, '127.0.0.1', () => {
        port = (server.address() as AddressInfo).port
        resolve()
      })
    })
  await restore()
  return {
    origin: `http://127.0.0.1:${port}`,
    connections: () => open.size / 2,
    restore,
    cut: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
}

/** Sends what is for Entra to `entra`, and all else to `others`. */
export class EntraBeside extends Dispatcher {
  readonly #others: Dispatcher
  readonly #entra: Dispatcher

  constructor(others: Dispatcher, entra: Dispatcher) {
    super()
    this.#others = others
    this.#entra = entra
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const isEntra = String(options.origin).startsWith('https://login.')
    return (isEntra ? this.#entra : this.#others).dispatch(options, handler)
  }
}
