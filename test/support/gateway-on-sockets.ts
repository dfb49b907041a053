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
import { withLongTimeouts } from './long-timeouts.ts'

/** A gateway with the production agent on real connections, in front of an emulated Dynamics. */
export interface GatewayOnSockets {
  readonly url: string
  readonly running: Running
  readonly emulator: Emulator
  /** The network link between the gateway and Dynamics. */
  readonly link: TcpLink
  readonly lines: () => Record<string, unknown>[]
  readonly close: () => Promise<void>
}

/** Starts both. Only Entra is reached through the emulator's dispatcher, because it is configured by name. */
export async function gatewayOnSockets(
  variables: NodeJS.ProcessEnv = {},
  options: EmulatorOptions = {},
): Promise<GatewayOnSockets> {
  const emulator = await startEmulator(options)
  const link = await createTcpLink(Number(new URL(emulator.origin).port))
  const settings = loadSettings(
    {
      DYNAMICS_URL: link.origin,
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
  const agent: OutboundAgent = { ...own, reads: new EntraRouter(own.reads, emulator.dispatcher) }
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
  const running = await run(withLongTimeouts(settings), log, agent)
  return {
    url: running.address,
    running,
    emulator,
    link,
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
      await link.cut()
      await emulator.close()
    },
  }
}

/** A TCP forwarder that can be cut. */
export interface TcpLink {
  readonly origin: string
  /** The number of open connections. */
  readonly connections: () => number
  /** Closes all connections, and refuses new ones. */
  readonly cut: () => Promise<void>
  readonly restore: () => Promise<void>
}

/** Forwards TCP connections to a port of this machine. */
export async function createTcpLink(to: number): Promise<TcpLink> {
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
    // A reset is forwarded as a reset.
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

/** Sends requests for Entra to `entra`, and all others to `others`. */
export class EntraRouter extends Dispatcher {
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
