import { once } from 'node:events'
import { createServer, get } from 'node:http'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

import t from 'tap'
import type { Test } from 'tap'

import { drainOf } from '../../src/server/drain.ts'

t.test('new connections during shutdown are answered or refused, never cut off', async (t) => {
  const { server, drain } = await draining(t, undefined, 3000)
  const outcomes: string[] = []
  async function calling(): Promise<void> {
    for (;;) {
      const outcome = await call(server)
      if (outcome === 'ECONNREFUSED') return
      outcomes.push(outcome)
    }
  }
  const callers = Array.from({ length: 50 }, calling)
  await pause(200)
  drain.next()
  await Promise.all([...callers, drain.finished])

  t.same([...new Set(outcomes)], ['200'])
})

t.test('an earlier connection that sends its request a little later is answered', async (t) => {
  const { server, drain } = await draining(t, undefined, 3000)
  const { port } = server.address() as AddressInfo
  drain.next()
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  while (server.listening) await pause(10)
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)

  t.match(Buffer.concat(chunks).toString(), /^HTTP\/1\.1 200 /)
  await drain.finished
})

t.test('idle connections do not delay the drain, and a second call cuts off running requests', async (t) => {
  const { server, drain } = await draining(t, () => undefined)
  const { port } = server.address() as AddressInfo
  const idle = connect(port, '127.0.0.1').on('error', () => undefined)
  const running = call(server)
  await once(idle, 'connect')
  drain.next()
  await once(idle.resume(), 'close')
  drain.next()

  t.equal(await running, 'ECONNRESET')
  await drain.finished
})

async function draining(t: Test, answer = (respond: () => void): void => void setTimeout(respond, 20), grace?: number) {
  const server = createServer((_request, response) =>
    answer(() => response.setHeader('connection', 'close').end('whole')),
  )
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.closeAllConnections())
  const times = grace === undefined ? { delay: 300 } : { delay: grace, idleGrace: grace }
  const draining = { server, stop: () => undefined, close: async () => undefined }
  return { server, drain: drainOf(draining, { timeout: 10_000, ...times }) }
}

/** The status, or an error code. */
function call(server: Server): Promise<string> {
  const { port } = (server.address() as AddressInfo | null) ?? { port: 1 }
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, agent: false }, (response) => {
      response
        .resume()
        .on('end', () => resolve(String(response.statusCode)))
        .on('error', (error) => resolve(error.message))
    }).on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}
