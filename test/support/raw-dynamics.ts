import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

import { pino } from 'pino'
import type { Test } from 'tap'
import { Dispatcher } from 'undici'

import { startEmulator } from '../../emulator/emulator.ts'
import { dispatcherTo } from '../../emulator/http/dispatcher.ts'
import { run } from '../../src/commands/serve/run.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/schema.ts'
import { withLongTimeouts } from './long-timeouts.ts'

/** A gateway in front of an emulated Entra and of a Dynamics that records every byte it receives. */
export interface RawFixture {
  readonly port: number
  readonly address: string
  /** The complete requests that arrived, byte for byte (latin1). */
  readonly requests: string[]
  /** All bytes that arrived. */
  readonly bytes: () => string
}

/** A response as bytes, including the head (latin1). The connection ends after it. */
export interface RawResponse {
  readonly raw: string
}

/**
 * Starts them. `change` may alter the settings; `answer` returns the body for a request. An `endless` body is sent for
 * as long as it is read, so it never ends, whatever the size of socket buffers.
 */
export async function gatewayForRawDynamics(
  t: Test,
  change: (settings: Settings) => Settings = (settings) => settings,
  answer: (request: string) => Buffer | 'endless' | RawResponse = () => NO_ROWS,
): Promise<RawFixture> {
  const emulator = await startEmulator()
  const requests: string[] = []
  let bytes = ''
  const sockets = new Set<Socket>()
  const dynamics = createServer((socket) => {
    sockets.add(socket)
    let received = ''
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      bytes += chunk.toString('latin1')
      received += chunk.toString('latin1')
      for (let length = requestLength(received); length !== undefined; length = requestLength(received)) {
        const request = received.slice(0, length)
        requests.push(request)
        received = received.slice(length)
        const body = answer(request)
        if (typeof body === 'object' && 'raw' in body) {
          socket.end(Buffer.from(body.raw, 'latin1'))
          continue
        }
        socket.write(
          'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nOData-Version: 4.0\r\n' +
            `Content-Length: ${body === 'endless' ? 2 ** 40 : body.length}\r\n\r\n`,
        )
        if (body === 'endless') writeEndlessly(socket)
        else socket.write(body)
      }
    })
  })
  await new Promise<void>((resolve) => dynamics.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(dynamics.address() as AddressInfo).port}`
  const direct = dispatcherTo(origin, new Set([new URL(emulator.environment).host]), undefined)

  class Router extends Dispatcher {
    override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
      if (String(options.origin) !== emulator.environment) return emulator.dispatcher.dispatch(options, handler)
      return direct.dispatch(options, handler)
    }
  }

  const settings = loadSettings(
    {
      DYNAMICS_URL: emulator.environment,
      AZURE_TENANT_ID: emulator.tenantId,
      AZURE_CLIENT_ID: emulator.clientId,
      AZURE_CLIENT_SECRET: emulator.clientSecret,
      PORT: '0',
      // Otherwise the gateway would request schema changes.
      SCHEMA_CACHE: '0s',
      SHUTDOWN_TIMEOUT: '1s',
    },
    undefined,
  )
  const fork = new Router()
  const nothing = async (): Promise<void> => undefined
  const running = await run(withLongTimeouts(change(settings)), pino({ level: 'silent' }), {
    reads: fork,
    writes: fork,
    destroy: nothing,
  })
  t.teardown(async () => {
    running.stop()
    running.stop()
    await running.stopped
    await direct.destroy()
    await emulator.close()
    for (const socket of sockets) socket.destroy()
    dynamics.close()
  })
  return { port: Number(new URL(running.address).port), address: running.address, requests, bytes: () => bytes }
}

const NO_ROWS = Buffer.from('{"value":[]}')

/** Writes without end, with back-pressure. */
function writeEndlessly(socket: Socket): void {
  socket.on('drain', more)
  more()

  function more(): void {
    while (socket.write(CHUNK));
  }
}

const CHUNK = Buffer.alloc(64 * 1024, ' ')

/** The length of the first request in `received`; `undefined` until it is complete. */
function requestLength(received: string): number | undefined {
  const end = received.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const head = received.slice(0, end)
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  if (length !== undefined) return received.length >= end + 4 + Number(length) ? end + 4 + Number(length) : undefined
  if (!/\r\ntransfer-encoding: chunked/i.test(head)) return end + 4
  const last = received.indexOf('\r\n0\r\n\r\n', end)
  return last === -1 ? undefined : last + 7
}
