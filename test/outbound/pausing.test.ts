import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

import t from 'tap'
import type { Test } from 'tap'

import type { UpstreamResponse, Sink } from '../../src/dynamics/send.ts'
import { createAgent } from '../../src/outbound/agent.ts'
import { outbound, socketService, connectionFixture } from '../support/connection-fixture.ts'
import { until } from '../support/until.ts'

const SIZE = 1_000_000
const HEAD = `HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n`

/** The connections that undici opens during a test, as they are. */
function opened(t: Test): Socket[] {
  const all: Socket[] = []
  const listener = (message: unknown): void => void all.push((message as { socket: Socket }).socket)
  subscribe('undici:client:connected', listener)
  t.teardown(() => unsubscribe('undici:client:connected', listener))
  return all
}

/** A handler that collects a body; with `pauses`, each chunk pauses the connection. */
function taking(
  { body }: UpstreamResponse,
  pauses: () => boolean,
): {
  readonly sink: Sink
  readonly taken: () => number
  readonly fate: () => string
} {
  let taken = 0
  let fate = ''
  const sink: Sink = {
    resume: undefined,
    write(chunk) {
      taken += chunk.length
      return !pauses()
    },
    end: () => {
      fate = 'ended'
    },
    fail: (error) => {
      fate = (error as { code?: string }).code ?? error.message
    },
  }
  body.pipeTo(sink)
  return { sink, taken: () => taken, fate: () => fate }
}

t.test('a paused connection reads little more, and the rest arrives after it resumes', async (t) => {
  const connections = opened(t)
  const origin = await socketService(t, (socket) =>
    socket.on('data', () => {
      socket.write(`${HEAD}\r\n`)
      socket.write(Buffer.alloc(SIZE))
    }),
  )
  let slow = true
  const { sink, taken, fate } = taking(await connectionFixture(t, origin).send(outbound()), () => slow)
  await until(() => connections[0]!.readableLength > 0)
  await pause(100)

  t.ok(connections[0]!.bytesRead < 300_000, `${connections[0]!.bytesRead} bytes`)
  t.ok(taken() < 200_000)
  slow = false
  sink.resume!()
  await until(() => fate() !== '')
  t.same([fate(), taken()], ['ended', SIZE])
})

t.test('a pause does not count towards the idle timeout; silence after it does', async (t) => {
  const origin = await socketService(t, (socket) =>
    socket.on('data', (request) => {
      socket.write(`${HEAD}\r\n`)
      socket.write(Buffer.alloc(SIZE / 2))
      if (String(request).includes('/finished')) socket.write(Buffer.alloc(SIZE / 2))
    }),
  )
  const { send } = connectionFixture(t, origin, { idleTimeout: 1000 })
  for (const [path, end] of [
    ['/finished', 'ended'],
    ['/unfinished', 'UND_ERR_BODY_TIMEOUT'],
  ] as const) {
    let slow = true
    const { sink, fate } = taking(await send(outbound({ path })), () => slow)
    await pause(1500)

    t.equal(fate(), '', 'while paused')
    slow = false
    sink.resume!()
    await until(() => fate() !== '')
    t.equal(fate(), end)
  }
})

t.test('a late resume of one response does not resume the next one on the connection', async (t) => {
  const connections = opened(t)
  const origin = await socketService(t, (socket) =>
    socket.on('data', (request) => {
      if (String(request).includes('/short')) {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{')
        return void setTimeout(() => socket.write('}'), 50)
      }
      socket.write(`${HEAD}\r\n`)
      socket.write(Buffer.alloc(SIZE))
    }),
  )
  const { send } = connectionFixture(t, origin)
  const first = taking(await send(outbound({ path: '/short' })), () => false)
  await until(() => first.fate() === 'ended')
  await pause(50)

  const second = taking(await send(outbound()), () => true)
  await until(() => connections[0]!.readableLength > 0)
  const before = second.taken()
  first.sink.resume!()
  await pause(50)

  t.equal(connections.length, 1)
  t.equal(second.taken(), before)
})

t.test('a handler that asks for a pause with the head gets no data until it resumes', async (t) => {
  const connections = opened(t)
  const origin = await socketService(t, (socket) =>
    socket.on('data', () => {
      socket.write(`${HEAD}\r\n`)
      socket.write(Buffer.alloc(SIZE))
    }),
  )
  const agent = createAgent({ connectTimeout: 5000, connections: 4 })
  t.teardown(() => agent.destroy())
  let resume: (() => void) | undefined
  let taken = 0
  const ended = new Promise<void>((resolve, reject) => {
    agent.reads.dispatch(
      { origin, path: '/', method: 'GET' },
      {
        onConnect() {},
        onHeaders(_status, _headers, resumeLater) {
          resume = resumeLater
          return false
        },
        onData(chunk) {
          taken += chunk.length
          return true
        },
        onComplete: () => resolve(),
        onError: reject,
      },
    )
  })
  await until(() => resume !== undefined && connections[0]!.readableLength > 0)
  await pause(100)

  // What was read together with the head is parsed already.
  t.ok(taken < 100_000, `${taken} bytes`)
  resume!()
  await ended
  t.equal(taken, SIZE)
})

for (const connection of ['close', 'keep-alive']) {
  t.test(`readers through the agent get complete bodies: Connection: ${connection}`, async (t) => {
    const origin = await socketService(t, (socket) =>
      socket.on('data', () => {
        socket.write(`${HEAD}Connection: ${connection}\r\n\r\n`)
        socket.end(Buffer.alloc(SIZE))
      }),
    )
    const agent = createAgent({ connectTimeout: 5000, connections: 4 })
    t.teardown(() => agent.destroy())

    const { body } = await agent.reads.request({ origin, path: '/', method: 'GET' })
    await pause(200)

    t.equal((await body.arrayBuffer()).byteLength, SIZE)
  })
}

t.test('a sink that pauses at the last byte still gets the end', async (t) => {
  const origin = await socketService(t, (socket) =>
    socket.on('data', () => {
      socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nabcde')
    }),
  )

  const { taken, fate } = taking(await connectionFixture(t, origin).send(outbound()), () => true)

  await until(() => fate() !== '')
  t.same([fate(), taken()], ['ended', 5])
})
