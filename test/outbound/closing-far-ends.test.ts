import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'

import { generate } from 'selfsigned'
import t from 'tap'
import type { Test } from 'tap'
import type { Dispatcher } from 'undici'

import { NO_PROXIES } from '../../src/config/proxies.ts'
import { createConnectionPool } from '../../src/outbound/connection-pool.ts'
import { createConnector } from '../../src/outbound/connector.ts'
import { listenOnFreePort, pause } from '../support/connection-fixture.ts'

t.setTimeout(120_000)

/** Seconds are scaled down; `TIME_SCALE=1` takes minutes. */
const SCALE = Number(process.env['TIME_SCALE'] ?? 0.05)
const WRITES = Number(process.env['WRITES'] ?? 25)
const SECOND = 1000 * SCALE
const IDLE_TIMES = {
  keep: 55 * SECOND,
  assumedUsed: 3.8 * SECOND,
  assumedUnused: 20 * SECOND,
  traffic: 150 * SECOND,
}

/** How a server handles a write on `socket`; `false`: it does not respond. */
type OnWrite = (socket: Socket, requests: number, execute: () => void) => boolean

const answers: OnWrite = (_socket, _requests, execute) => {
  execute()
  return true
}

/** A server that closes connections `idleFor()` milliseconds after the last byte, and counts what it executes. */
function closing(server: Server, event: string, idleFor: () => number, onWrite: OnWrite): Map<string, number> {
  const executed = new Map<string, number>()
  server.on(event, (socket: Socket) => {
    let requests = 0
    let timer = setTimeout(() => socket.end(), idleFor())
    socket
      .setNoDelay(true)
      .on('error', () => {})
      .on('close', () => clearTimeout(timer))
      .on('data', (head: Buffer) => {
        clearTimeout(timer)
        const id = /^POST \/(\d+) /.exec(head.toString('latin1'))![1]!
        const execute = (): void => void executed.set(id, (executed.get(id) ?? 0) + 1)
        if (!onWrite(socket, ++requests, execute)) return
        socket.write('HTTP/1.1 204 No Content\r\n\r\n')
        timer = setTimeout(() => socket.end(), idleFor())
      })
  })
  return executed
}

/** Writes one after the other, with pauses up to `longest` milliseconds between them. */
async function write(
  t: Test,
  origin: string,
  longest: number,
  ca?: string,
): Promise<{ readonly answered: string[]; readonly failed: string[] }> {
  const { connect } = createConnector({ timeout: 5000, ...(ca === undefined ? {} : { ca }) }, NO_PROXIES)
  const pool = createConnectionPool(new URL(origin), { connect, limit: 20, onSend() {}, idleTimes: IDLE_TIMES })
  t.teardown(() => pool.destroy())
  pool.keepWarm()
  const answered: string[] = []
  const failed: string[] = []
  for (let id = 0; id < WRITES; id++) {
    await new Promise<void>((resolve) => {
      const handler: Dispatcher.DispatchHandler = {
        onConnect() {},
        onHeaders: () => true,
        onData: () => true,
        onComplete: () => resolve(void answered.push(String(id))),
        onError: () => resolve(void failed.push(String(id))),
      }
      pool.dispatch(false, { path: `/${id}`, method: 'POST' }, handler)
    })
    await pause(Math.random() * longest)
  }
  return { answered, failed }
}

/**
 * No write is executed twice, every answered write was executed, and each other one failed with an error that leaves it
 * open.
 */
function check(
  t: Test,
  executed: ReadonlyMap<string, number>,
  { answered, failed }: { readonly answered: readonly string[]; readonly failed: readonly string[] },
): void {
  t.equal(answered.length + failed.length, WRITES)
  t.same(
    [...executed.values()].filter((times) => times > 1),
    [],
    'none is executed twice',
  )
  t.same(
    answered.filter((id) => !executed.has(id)),
    [],
    'none is lost',
  )
  t.comment(`${failed.length} of ${WRITES} in doubt`)
}

const IDLE_TIMEOUTS = [1, 2, 5, 15, 60, 240]

t.test('servers that close after a fixed idle time: no write is lost or executed twice', async (t) => {
  await Promise.all(
    IDLE_TIMEOUTS.map(async (seconds) => {
      const server = createServer()
      const executed = closing(server, 'connection', () => seconds * SECOND, answers)
      const origin = `http://127.0.0.1:${await listenOnFreePort(t, server)}`
      check(t, executed, await write(t, origin, Math.min(2 * seconds, 6) * SECOND))
    }),
  )
})

t.test('servers that close after a fixed idle time over TLS: no write is lost or executed twice', async (t) => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  })
  await Promise.all(
    [2, 15].map(async (seconds) => {
      const server = createTlsServer({ cert, key })
      const executed = closing(server, 'secureConnection', () => seconds * SECOND, answers)
      const origin = `https://127.0.0.1:${await listenOnFreePort(t, server)}`
      check(t, executed, await write(t, origin, Math.min(2 * seconds, 6) * SECOND, cert))
    }),
  )
})

t.test('servers that close at random: no write is lost or executed twice', async (t) => {
  const server = createServer()
  const executed = closing(server, 'connection', () => Math.random() * 10 * SECOND, answers)
  const origin = `http://127.0.0.1:${await listenOnFreePort(t, server)}`
  check(t, executed, await write(t, origin, 6 * SECOND))
})

t.test('servers that close when a request arrives, executed or not: no write is lost or executed twice', async (t) => {
  const ends: Record<string, OnWrite> = {
    'before it is carried out': (socket, requests, execute) => {
      const breaks = requests > 1 && Math.random() < 0.5
      if (breaks) socket.resetAndDestroy()
      else execute()
      return !breaks
    },
    'after it was carried out': (socket, _requests, execute) => {
      execute()
      const breaks = Math.random() < 0.3
      if (breaks) socket.end()
      return !breaks
    },
  }
  for (const [when, onWrite] of Object.entries(ends)) {
    await t.test(when, async (t) => {
      const server = createServer()
      const executed = closing(server, 'connection', () => 60 * SECOND, onWrite)
      const origin = `http://127.0.0.1:${await listenOnFreePort(t, server)}`
      check(t, executed, await write(t, origin, 2 * SECOND))
    })
  }
})
