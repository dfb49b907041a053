import { createServer, Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { Worker } from 'node:worker_threads'

import { generate } from 'selfsigned'
import t from 'tap'
import type { Test } from 'tap'

import { NO_PROXIES } from '../../src/config/proxies.ts'
import { createConnectionPool } from '../../src/outbound/connection-pool.ts'
import { createConnector } from '../../src/outbound/connector.ts'
import { PausableSocket } from '../../src/outbound/pausable-socket.ts'
import { rawHeader } from '../../src/outbound/raw-headers.ts'
import { listenOnFreePort, pause } from '../support/connection-fixture.ts'
import { until } from '../support/until.ts'

t.setTimeout(60_000)

/** So long that no timer fires during a test. */
const CALM = { keep: 100_000, assumedUsed: 100_000, assumedUnused: 100_000, traffic: 100_000 }

/** What a server sends without a request: complete responses, parts of one, and what is no response. */
const UNSOLICITED = [
  responseTo('/foreign'),
  'HTTP/1.1 204 No Content\r\nx-path: /foreign\r\n\r\n',
  'HTTP/1.1 503 Service Unavailable\r\nx-path: /foreign\r\ncontent-length: 0\r\n\r\n',
  'HTTP/1.1 401 Unauthorized\r\nx-path: /foreign\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nx-path: /foreign\r\n\r\n',
  'HTTP/1.1 200 OK\r\nx-path: /foreign\r\ncontent-length: 9\r\n\r\n{}',
  'HTTP/1.1 200 OK\r\nx-path: /foreign\r\n',
  'H',
  '{}',
]

interface FarEnd {
  /** Its connections in order. */
  readonly connections: readonly Socket[]
  /** Sends a request on the only connection of the pool. Gives the path that the response is for. */
  readonly send: (path: string, body?: Buffer) => Promise<string>
}

interface Certificate {
  readonly cert: string
  readonly key: string
}

async function certificate(): Promise<Certificate> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  })
  return { cert, key }
}

/** A server that answers each request as `onRequest` says, and a pool with one connection to it. */
async function farEnd(t: Test, onRequest: (socket: Socket, path: string) => void, tls?: Certificate): Promise<FarEnd> {
  const connections: Socket[] = []
  const server = tls === undefined ? createServer() : createTlsServer(tls)
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    connections.push(socket)
    socket
      .on('error', () => {})
      .on('data', (data: Buffer) => {
        const path = /^[A-Z]+ (\S+) HTTP/.exec(data.toString('latin1'))?.[1]
        if (path !== undefined) onRequest(socket, path)
      })
  })
  const origin = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${await listenOnFreePort(t, server)}`
  return { connections, send: sender(t, origin, tls) }
}

/** Sends requests to `origin` on one connection, and gives the path that the response is for. */
function sender(t: Test, origin: string, tls?: Certificate): FarEnd['send'] {
  const { connect } = createConnector({ timeout: 5000, ...(tls && { ca: tls.cert }) }, NO_PROXIES)
  const pool = createConnectionPool(new URL(origin), { connect, limit: 1, onSend() {}, idleTimes: CALM })
  t.teardown(() => pool.destroy())
  return (path, body) =>
    new Promise((resolve) => {
      let of: string | undefined
      pool.dispatch(
        true,
        { path, method: body === undefined ? 'GET' : 'POST', body: body ?? null },
        {
          onConnect() {},
          onHeaders: (_status, headers) => {
            of = rawHeader(headers as Buffer[], 'x-path')
            return true
          },
          onData: () => true,
          onComplete: () => resolve(String(of)),
          onError: (error) => resolve(error.message),
        },
      )
    })
}

function responseTo(path: string): string {
  return `HTTP/1.1 200 OK\r\nx-path: ${path}\r\ncontent-length: 2\r\n\r\n{}`
}

const answer = (socket: Socket, path: string): void => void socket.write(responseTo(path))

const answerWith =
  (unsolicited: string) =>
  (socket: Socket, path: string): void =>
    void socket.write(responseTo(path) + (path === '/1' ? unsolicited : ''))

t.test('what arrives on an idle connection is given to no request', async (t) => {
  for (const unsolicited of UNSOLICITED) {
    for (const idleFor of [undefined, 0, 5]) {
      const { connections, send } = await farEnd(t, answer)
      await send('/1')
      if (idleFor !== undefined) await pause(idleFor)
      // On loopback this has arrived before the next request is sent.
      connections[0]!.write(unsolicited)
      t.equal(await send('/2'), '/2', JSON.stringify([unsolicited, idleFor]))
      t.equal(connections.length, 2)
    }
  }
})

t.test('nor is what follows a response in the same packet, also if requests wait for the connection', async (t) => {
  for (const unsolicited of UNSOLICITED) {
    const { connections, send } = await farEnd(t, answerWith(unsolicited))
    t.same(await Promise.all(['/1', '/2', '/3'].map((path) => send(path))), ['/1', '/2', '/3'], unsolicited)
    t.equal(connections.length, 2)
  }
})

t.test('nor what follows it in the same TLS record, or arrives on an idle TLS connection', async (t) => {
  const { cert, key } = await certificate()
  for (const unsolicited of UNSOLICITED) {
    const { connections, send } = await farEnd(t, answerWith(unsolicited), { cert, key })
    t.same(await Promise.all([send('/1'), send('/2')]), ['/1', '/2'], unsolicited)
    connections[1]!.write(unsolicited)
    await until(() => connections[1]!.destroyed)
    t.equal(await send('/3'), '/3')
    t.equal(connections.length, 3)
  }
})

t.test('a response that arrives while its request is still being sent is the last on its connection', async (t) => {
  // More than the buffers of both ends.
  const body = Buffer.from(`${'-'.repeat(32 * 1024 * 1024)}!`)
  for (const tls of [undefined, await certificate()]) {
    for (const crosses of [true, false]) {
      const onRequest = (socket: Socket, path: string): void => {
        if (path !== '/large') return answer(socket, path)
        socket.on('data', (chunk: Buffer) => {
          if (chunk.includes('!')) answer(socket, path)
        })
        if (!crosses) return
        answer(socket, '/foreign')
        socket.pause()
        setTimeout(() => socket.resume(), 50)
      }
      const { connections, send } = await farEnd(t, onRequest, tls)
      t.same(await Promise.all([send('/large', body), send('/next')]), [crosses ? '/foreign' : '/large', '/next'])
      t.equal(connections.length, crosses ? 2 : 1)
    }
  }
})

t.test('a fast response over TLS keeps its connection', async (t) => {
  const { cert, key } = await certificate()
  // In a thread of its own, the server may respond before Node reports the request as sent.
  const worker = new Worker(
    `const { createServer } = require('node:tls')
    const { parentPort, workerData } = require('node:worker_threads')
    let connections = 0
    const server = createServer(workerData, (socket) => {
      connections++
      const response = () => 'HTTP/1.1 200 OK\\r\\nx-path: ' + connections + '\\r\\ncontent-length: 2\\r\\n\\r\\n{}'
      socket.on('error', () => {}).on('data', (chunk) => chunk.includes('!') && socket.write(response()))
    })
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`,
    { eval: true, workerData: { cert, key } },
  )
  t.teardown(() => worker.terminate())
  const port = await new Promise<number>((resolve) => worker.once('message', resolve))
  const send = sender(t, `https://127.0.0.1:${port}`, { cert, key })

  for (const size of [1, 20_000, 200_000]) {
    const body = Buffer.from(`${'-'.repeat(size)}!`)
    for (let count = 0; count < 100; count++) t.equal(await send('/', body), '1', `${size} bytes`)
  }
})

t.test('a socket without a handle has nothing to send', async (t) => {
  t.equal(new PausableSocket(new Socket()).sending, false)
})
