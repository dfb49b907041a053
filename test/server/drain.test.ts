import { once } from 'node:events'
import { createServer, get } from 'node:http'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

import t from 'tap'
import type { Test } from 'tap'

import { drainOf } from '../../src/server/drain.ts'

// A connection that the kernel completes between the last accept and the end of listening is reset by the kernel. The
// server cannot avoid that, and the callers here, in its own process, often connect at that moment.
t.test('new connections during shutdown are answered or refused, and no accepted one is cut off', async (t) => {
  const { server, drain } = await draining(t, undefined, 3000)
  /** The callers' ports of accepted connections whose call has not ended. */
  const accepted = new Set<number | undefined>()
  server.on('connection', ({ remotePort }) => accepted.add(remotePort))
  const outcomes: string[] = []
  async function calling(): Promise<void> {
    for (;;) {
      const { outcome, port } = await callFromPort(server)
      if (outcome === 'ECONNREFUSED') return
      if (accepted.delete(port)) outcomes.push(outcome)
      else if (outcome !== 'ECONNRESET') outcomes.push(`${outcome} without a connection`)
    }
  }
  const callers = Array.from({ length: 50 }, calling)
  await pause(200)
  drain.next()
  await Promise.all([...callers, drain.finished])

  t.same([...new Set(outcomes)], ['200'])
  t.equal(accepted.size, 0, 'every accepted connection was answered')
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
async function call(server: Server): Promise<string> {
  return (await callFromPort(server)).outcome
}

/** The same, and the port that the call came from. */
function callFromPort(server: Server): Promise<{ readonly outcome: string; readonly port: number | undefined }> {
  const { port: to } = (server.address() as AddressInfo | null) ?? { port: 1 }
  return new Promise((resolve) => {
    let port: number | undefined
    const end = (outcome: string): void => resolve({ outcome, port })
    get({ host: '127.0.0.1', port: to, agent: false }, (response) => {
      response
        .resume()
        .on('end', () => end(String(response.statusCode)))
        .on('error', (error) => end(error.message))
    })
      .on('socket', (socket) => socket.once('connect', () => (port = socket.localPort)))
      .on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
  })
}
