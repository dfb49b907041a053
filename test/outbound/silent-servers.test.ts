import { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'

import t from 'tap'
import type { Test } from 'tap'

import { createAgent } from '../../src/outbound/agent.ts'
import { PausableSocket } from '../../src/outbound/pausable-socket.ts'
import { socketService } from '../support/connection-fixture.ts'

t.setTimeout(60_000)

const HEAD_MS = 300
const BODY_MS = 400
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n'

interface Sent {
  readonly origin: string
  readonly path?: string
  readonly body?: PassThrough | Buffer
  readonly headersTimeout?: number
}

/** Sends a request, and resolves to the status and the code of the error that ended the response. */
function sender(t: Test): (request: Sent) => Promise<{ status: number; code: string | undefined }> {
  const agent = createAgent({ connectTimeout: 5000, connections: 10 })
  t.teardown(() => agent.destroy())
  return ({ origin, path = '/', body, headersTimeout = HEAD_MS }) =>
    new Promise((resolve) => {
      let status = 0
      const end = (error?: Error): void => resolve({ status, code: (error as NodeJS.ErrnoException | undefined)?.code })
      agent.writes.dispatch(
        {
          origin,
          path,
          method: body === undefined ? 'GET' : 'POST',
          body: body ?? null,
          headersTimeout,
          bodyTimeout: BODY_MS,
        },
        {
          onConnect: () => undefined,
          onHeaders(code: number) {
            status = code
            return true
          },
          onData: () => true,
          onComplete: () => end(),
          onError: end,
        },
      )
    })
}

t.test('a server that never responds is given up after the timeout for the head', async (t) => {
  const origin = await socketService(t, (socket) => void socket.resume())
  const send = sender(t)
  const began = performance.now()

  t.same(await send({ origin }), { status: 0, code: 'UND_ERR_HEADERS_TIMEOUT' })
  t.ok(performance.now() - began >= HEAD_MS)
})

t.test('an informational response restarts the time for the head', async (t) => {
  const origin = await socketService(t, (socket) =>
    socket.once('data', async () => {
      for (let count = 0; count < 5; count++) {
        socket.write('HTTP/1.1 102 Processing\r\n\r\n')
        await pause(HEAD_MS / 3)
      }
      socket.write(`${OK}{}`)
    }),
  )

  t.same(await sender(t)({ origin }), { status: 200, code: undefined })
})

t.test('a body that stops arriving is given up after its own timeout', async (t) => {
  const origin = await socketService(t, (socket) => socket.once('data', () => socket.write(`${OK}{`)))
  const began = performance.now()

  t.same(await sender(t)({ origin }), { status: 200, code: 'UND_ERR_BODY_TIMEOUT' })
  t.ok(performance.now() - began >= BODY_MS)
})

t.test('a server that takes no more of an upload is given up', async (t) => {
  const origin = await socketService(t, (socket) => void socket.pause())

  t.same(await sender(t)({ origin, body: Buffer.alloc(32 * 1024 * 1024) }), {
    status: 0,
    code: 'UND_ERR_HEADERS_TIMEOUT',
  })
})

t.test('a server that takes a large upload slowly is not silent', async (t) => {
  const body = Buffer.alloc(40 * 1024 * 1024)
  // The kernel takes about a megabyte at a time.
  const headersTimeout = 1000
  const slowUntil = performance.now() + 2 * headersTimeout
  const origin = await socketService(t, (socket) => {
    let received = 0
    socket.on('data', (data) => {
      received += data.length
      if (received > body.length) socket.write(`${OK}{}`)
      if (performance.now() > slowUntil) return
      socket.pause()
      setTimeout(() => socket.resume(), 5)
    })
  })

  t.same(await sender(t)({ origin, body, headersTimeout }), { status: 200, code: undefined })
})

t.test('a caller that is slow to send its body does not count as a silent server', async (t) => {
  const origin = await socketService(t, (socket) =>
    socket.on('data', (data) => {
      if (data.toString('latin1').endsWith('0\r\n\r\n')) socket.write(`${OK}{}`)
    }),
  )
  const body = new PassThrough()
  const responded = sender(t)({ origin, body })
  body.write('begin')
  await pause(HEAD_MS * 3)
  body.end('end')

  t.same(await responded, { status: 200, code: undefined })
})

t.test('a timeout of 0 waits for any time', async (t) => {
  const origin = await socketService(t, (socket) =>
    socket.once('data', () => setTimeout(() => socket.write(`${OK}{}`), HEAD_MS * 3)),
  )

  t.same(await sender(t)({ origin, headersTimeout: 0 }), { status: 200, code: undefined })
})

t.test('a short timeout is kept beside a long one', async (t) => {
  const origin = await socketService(t, (socket) =>
    socket.once('data', (data) => {
      if (data.includes('/slow')) setTimeout(() => socket.write(`${OK}{}`), HEAD_MS * 4)
    }),
  )
  const send = sender(t)
  const slow = send({ origin, path: '/slow', headersTimeout: 60_000 })
  await pause(50)
  const began = performance.now()

  t.same(await send({ origin, path: '/silent' }), { status: 0, code: 'UND_ERR_HEADERS_TIMEOUT' })
  t.ok(performance.now() - began < 60_000 / 10)
  t.same(await slow, { status: 200, code: undefined })
})

t.test('a blocked event loop is not a silent server', async (t) => {
  const origin = await socketService(t, (socket) =>
    socket.once('data', () => setTimeout(() => socket.write(`${OK}{}`), 50)),
  )
  const responded = sender(t)({ origin })
  await pause(20)
  const end = performance.now() + HEAD_MS * 3
  while (performance.now() < end);

  t.same(await responded, { status: 200, code: undefined })
})

t.test('requests with a short timeout do not extend a long one', async (t) => {
  const silent = await socketService(t, (socket) => void socket.resume())
  const origin = await socketService(t, (socket) => socket.on('data', () => socket.write(`${OK}{}`)))
  const send = sender(t)
  let short = 0
  const responded = send({ origin: silent, headersTimeout: 1500 })
  // Each brings the next look at all connections forward, shortly before it is due.
  const timer = setInterval(() => {
    short++
    void send({ origin, headersTimeout: 100 })
  }, 140)
  t.teardown(() => clearInterval(timer))

  t.same(await responded, { status: 0, code: 'UND_ERR_HEADERS_TIMEOUT' })
  t.ok(short < 40, `${short} short requests`)
})

t.test('a socket that is not connected yet is silent', async (t) => {
  const silent = await new Promise<boolean>((resolve) => {
    new PausableSocket(new Socket()).watchResponse(50, { onInactive: () => resolve(true) })
    // The timer alone does not keep the process alive.
    const limit = setTimeout(resolve, 30_000, false)
    t.teardown(() => clearTimeout(limit))
  })

  t.ok(silent)
})
