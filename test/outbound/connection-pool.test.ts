import { createServer } from 'node:http'
import { createServer as createSocketServer } from 'node:net'
import type { Socket } from 'node:net'

import t from 'tap'
import type { Test } from 'tap'
import type { Dispatcher } from 'undici'

import { NO_PROXIES } from '../../src/config/proxies.ts'
import { createAgent } from '../../src/outbound/agent.ts'
import { createConnectionPool } from '../../src/outbound/connection-pool.ts'
import { createConnector } from '../../src/outbound/connector.ts'
import type { Connector } from '../../src/outbound/connector.ts'
import type { IdleTimes } from '../../src/outbound/idle-times.ts'
import { rawHeader } from '../../src/outbound/raw-headers.ts'
import { listenOnFreePort, pause } from '../support/connection-fixture.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

/** So long that no timer fires during a test. */
const NO_TIMERS: IdleTimes = { keep: 100_000, assumedUsed: 100_000, assumedUnused: 100_000, traffic: 100_000 }

interface PoolFixture {
  readonly pool: ReturnType<typeof createConnectionPool>
  /** The connection use of each request. */
  readonly uses: string[]
  readonly read: (path?: string) => Promise<string>
  readonly write: (path?: string) => Promise<string>
}

/** A pool of connections to `port`, and requests through it that bring their status or the code of their error. */
function poolTo(
  t: Test,
  port: number,
  other: Partial<IdleTimes> = {},
  limit = 8,
  connect: Connector['connect'] = createConnector({ timeout: 5000 }, NO_PROXIES).connect,
): PoolFixture {
  const uses: string[] = []
  const pool = createConnectionPool(new URL(`http://127.0.0.1:${port}`), {
    connect,
    limit,
    onSend: (use) => uses.push(use),
    idleTimes: { ...NO_TIMERS, ...other },
  })
  t.teardown(() => pool.destroy())
  const send = (isRepeatable: boolean, method: Dispatcher.HttpMethod, path: string): Promise<string> =>
    new Promise((resolve) => {
      let status = 0
      pool.dispatch(
        isRepeatable,
        { path, method },
        {
          onConnect() {},
          onHeaders: (code) => {
            status = code
            return true
          },
          onData: () => true,
          onComplete: () => resolve(String(status)),
          onError: (error) => resolve((error as NodeJS.ErrnoException).code ?? error.message),
        },
      )
    })
  return {
    pool,
    uses,
    read: (path = '/') => send(true, 'GET', path),
    write: (path = '/') => send(false, 'POST', path),
  }
}

interface TestServer {
  readonly port: number
  /** Its connections in order. */
  readonly connections: readonly Socket[]
  readonly open: () => number
}

/** Answers 204, with `headers`; `/slow` after 100 ms. */
async function testServer(t: Test, headers: Record<string, string> = {}, keepAliveTimeout = 0): Promise<TestServer> {
  const connections: Socket[] = []
  const server = createServer({ keepAliveTimeout }, (request, response) => {
    const answer = (): unknown => response.writeHead(204, headers).end()
    if (request.url === '/slow') setTimeout(answer, 100)
    else answer()
  })
  server.on('connection', (socket: Socket) => connections.push(socket))
  const port = await listenOnFreePort(t, server)
  return { port, connections, open: () => connections.filter(({ destroyed }) => !destroyed).length }
}

/** One connection less than `count` is not enough, and no further one comes while the others are served. */
async function untilOpen({ connections }: TestServer, count: number): Promise<void> {
  await until(() => connections.length >= count)
}

t.test('the first request finds a connection that was opened ahead, and another one follows', async (t) => {
  const server = await testServer(t)
  const { pool, uses, write } = poolTo(t, server.port)
  pool.keepWarm()
  await untilOpen(server, 1)
  await pause(20)

  t.equal(await write(), '204')
  await untilOpen(server, 2)
  await pause(20)
  t.equal(await write(), '204')
  t.same(uses, ['reserve', 'reused'])
})

t.test('connections that were just in use take turns', async (t) => {
  for (const method of ['read', 'write'] as const) {
    const server = await testServer(t)
    const fixture = poolTo(t, server.port)
    await Promise.all([fixture[method]('/slow'), fixture[method]('/slow')])
    const before = server.connections.map(({ bytesRead }) => bytesRead)
    for (let count = 0; count < 20; count++) {
      // Until the connection is idle again.
      await pause(5)
      await fixture[method]()
    }

    t.equal(server.connections.length, 2)
    server.connections.forEach(({ bytesRead }, index) => t.ok(bytesRead > before[index]!, `${method} on ${index}`))
  }
})

t.test('without keepWarm nothing is opened ahead', async (t) => {
  const server = await testServer(t)
  const { uses, write } = poolTo(t, server.port)

  t.equal(await write(), '204')
  await pause(50)
  t.equal(server.connections.length, 1)
  t.same(uses, ['new'])
})

t.test('concurrent requests use the reserve, a connection that is being opened, and new ones', async (t) => {
  const server = await testServer(t)
  const { pool, uses, write } = poolTo(t, server.port)
  pool.keepWarm()
  await untilOpen(server, 1)
  await pause(20)

  t.same(await Promise.all([write('/slow'), write('/slow'), write('/slow')]), ['204', '204', '204'])
  t.same(uses.toSorted(), ['new', 'new', 'reserve'])
  await untilOpen(server, 4)
})

t.test('a write does not use a connection that may be closing; a read does, which proves its lifetime', async (t) => {
  const server = await testServer(t)
  const { uses, read, write } = poolTo(t, server.port, { assumedUsed: 100 })

  await write()
  await pause(300)
  await write()
  t.same(uses, ['new', 'new'])
  await pause(300)
  await read()
  t.equal(uses[2], 'reused')
  await pause(120)
  await write()
  t.equal(uses[3], 'reused', 'half of what the read has proven')
})

t.test('a lifetime that the server announces also counts', async (t) => {
  const server = await testServer(t, { 'keep-alive': 'timeout=5' })
  const { uses, write } = poolTo(t, server.port, { assumedUsed: 2 })

  await write()
  await pause(50)
  await write()
  t.same(uses, ['new', 'reused'])
})

t.test('the lifetime is learned from closes of idle connections', async (t) => {
  const server = await testServer(t)
  const { uses, write } = poolTo(t, server.port)

  await write()
  await pause(100)
  server.connections[0]!.destroy()
  await pause(50)
  await write()
  await pause(90)
  await write()
  t.same(uses, ['new', 'new', 'new'])
  await pause(500)
  await write()
  t.equal(uses[3], 'reused', 'the second and the third stay open for far longer')
})

t.test('after a connection broke under a request, writes do not use old connections', async (t) => {
  let broken = 0
  const server = createSocketServer((socket) => {
    let requests = 0
    socket
      .on('error', () => {})
      .on('data', () => {
        if (++requests === 1) return socket.write('HTTP/1.1 204 No Content\r\n\r\n')
        broken++
        return socket.resetAndDestroy()
      })
  })
  const { uses, read, write } = poolTo(t, await listenOnFreePort(t, server))

  await read()
  await pause(20)
  t.match(await read(), /^(?:ECONNRESET|UND_ERR_SOCKET|EPIPE)$/)
  t.equal(broken, 1)
  await read()
  await pause(20)
  t.equal(await write(), '204')
  t.same(uses, ['new', 'reused', 'new', 'new'])
})

t.test('the reserve is renewed before it is too old, and closed without requests', async (t) => {
  const server = await testServer(t)
  const { pool, uses, write } = poolTo(t, server.port, { assumedUnused: 600, traffic: 1500, keep: 1000 })
  pool.keepWarm()
  await untilOpen(server, 3)

  t.equal(await write(), '204')
  t.same(uses, ['reserve'])
  await until(() => server.open() === 0)
  const opened = server.connections.length
  await pause(500)
  t.equal(server.connections.length, opened, 'nothing is opened without traffic')
})

t.test('a read uses the oldest connection that was opened ahead', async (t) => {
  const server = await testServer(t)
  const { pool, uses, read, write } = poolTo(t, server.port, { assumedUnused: 600 })
  pool.keepWarm()
  await untilOpen(server, 3)
  await pause(20)

  t.equal(await read('not a path'), 'UND_ERR_INVALID_ARG', 'its connection is idle again')
  t.equal(await read(), '204')
  t.same(uses, ['reserve'])
  t.ok(server.connections[0]!.bytesRead > 0)
  server.connections[0]!.destroy()
  await pause(20)
  t.equal(await write(), '204')
  t.equal(server.connections[1]!.bytesRead, 0, 'a write uses a younger one')
})

t.test('a write prefers a used connection that is safe, and leaves the reserve', async (t) => {
  const server = await testServer(t)
  const { pool, uses, write } = poolTo(t, server.port)
  pool.keepWarm()
  await untilOpen(server, 1)
  await pause(20)
  t.equal(await write(), '204')
  await untilOpen(server, 2)
  // Longer than connections stay in rotation.
  await pause(200)

  t.equal(await write(), '204')
  t.same(uses, ['reserve', 'reused'])
})

t.test('a request that is cancelled while its connection opens makes way for the next one', async (t) => {
  const server = await testServer(t)
  const agent = createAgent({ connectTimeout: 5000, connections: 1 })
  t.teardown(() => agent.destroy())
  const request = { origin: `http://127.0.0.1:${server.port}`, path: '/', method: 'GET' } as const
  const controller = new AbortController()
  const cancelled = agent.reads.request({ ...request, signal: controller.signal })
  controller.abort()
  await t.rejects(cancelled, { name: 'AbortError' })

  const { statusCode } = await agent.reads.request(request)
  t.equal(statusCode, 204)

  await agent.destroy()
  await t.rejects(agent.reads.request({ ...request, origin: 'http://127.0.0.1:1' }), { code: 'UND_ERR_DESTROYED' })
})

t.test('no request waits for a connection that is being opened while an open one is safe', async (t) => {
  const check = async (kind: 'read' | 'write'): Promise<void> => {
    const server = await testServer(t)
    const { connect } = createConnector({ timeout: 5000 }, NO_PROXIES)
    const sent: Promise<string>[] = []
    // The second connection is the next reserve. It stays in the making until the request has its response.
    const slowAfterTheFirst: typeof connect = (options, callback) => {
      if (server.connections.length === 0) return connect(options, callback)
      const response = fixture[kind]()
      sent.push(response)
      void response.then(() => connect(options, callback))
    }
    const fixture = poolTo(t, server.port, { assumedUnused: 6000 }, 8, slowAfterTheFirst)
    fixture.pool.keepWarm()
    await until(() => sent.length > 0)

    t.equal(await sent[0], '204', kind)
    t.same(fixture.uses, ['reserve'])
    t.ok(server.connections[0]!.bytesRead > 0)
  }
  await Promise.all([check('read'), check('write')])
})

t.test('without keepWarm the reserve is closed', async (t) => {
  const server = await testServer(t)
  const { pool } = poolTo(t, server.port)
  const ends = [pool.keepWarm(), pool.keepWarm()]
  await untilOpen(server, 1)
  await pause(20)

  ends[0]!()
  t.equal(server.open(), 1)
  ends[1]!()
  await until(() => server.open() === 0)
  t.equal(server.connections.length, 1)
})

t.test('a reserve connection on which the server closes or sends data is replaced', async (t) => {
  const server = await testServer(t)
  const { pool, uses, write } = poolTo(t, server.port)
  pool.keepWarm()
  await untilOpen(server, 1)
  await pause(600)
  server.connections[0]!.end()
  await untilOpen(server, 2)
  await pause(600)
  server.connections[1]!.write('HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n')
  await untilOpen(server, 3)
  await pause(20)

  t.equal(await write(), '204')
  t.same(uses, ['reserve'])
  t.ok(server.connections[1]!.destroyed)
})

t.test('a server that closes at once does not cause endless connections', async (t) => {
  let connections = 0
  const server = createSocketServer((socket) => {
    connections++
    socket.on('error', () => {}).end()
  })
  const { pool } = poolTo(t, await listenOnFreePort(t, server))
  pool.keepWarm()

  await until(() => connections === 1)
  await pause(300)
  t.equal(connections, 1)
})

t.test('a reserve connection that ends just before a request is not used', async (t) => {
  const server = await testServer(t)
  const { pool, uses, write } = poolTo(t, server.port)
  pool.keepWarm()
  await untilOpen(server, 1)
  await pause(600)
  server.connections[0]!.resetAndDestroy()
  t.equal(await write(), '204')
  t.same(uses, ['new'])
})

t.test('an idle connection that ends just before a request is not used', async (t) => {
  const server = await testServer(t)
  const { uses, read, write } = poolTo(t, server.port)
  await write()
  await pause(20)
  server.connections[0]!.destroy()
  t.equal(await write(), '204')
  await pause(20)
  server.connections[1]!.resetAndDestroy()
  t.equal(await read(), '204')
  t.same(uses, ['new', 'new', 'new'])
})

t.test('a request whose connections are all reset before it is written gets a new one', async (t) => {
  const server = await testServer(t)
  const { uses, read, write } = poolTo(t, server.port)
  const old = Array.from({ length: 4 }, () => 'new')
  for (const send of [read, write]) {
    uses.length = 0
    await Promise.all(old.map(() => send('/slow')))
    await pause(20)
    for (const connection of server.connections) connection.resetAndDestroy()
    t.equal(await send(), '204')
    t.same(uses, [...old, 'new'])
    for (const connection of server.connections) connection.destroy()
    await pause(20)
  }
})

/** A far end that answers with each request's path; the `timesOut`th on the first connection gets a 408 before. */
async function timingOutServer(
  t: Test,
  timesOut: number,
  delay: number,
): Promise<{ port: number; opened: () => number }> {
  let opened = 0
  const server = createSocketServer((socket) => {
    const connection = ++opened
    let requests = 0
    socket
      .on('error', () => {})
      .on('data', (head: Buffer) => {
        const path = /^\w+ (\S+)/.exec(head.toString())![1]!
        const answer = `HTTP/1.1 200 OK\r\nx-path: ${path}\r\ncontent-length: 0\r\n\r\n`
        if (++requests !== timesOut || connection > 1) return setTimeout(() => socket.write(answer), 2 * delay)
        socket.write('HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n')
        return setTimeout(() => socket.write(answer), delay)
      })
  })
  return { port: await listenOnFreePort(t, server), opened: () => opened }
}

t.test('after a 408 the connection carries no other request, which could get a late response', async (t) => {
  for (const timesOut of [1, 2]) {
    for (const delay of [0, 20]) {
      const server = await timingOutServer(t, timesOut, delay)
      const { pool } = poolTo(t, server.port, {}, 1)
      const read = (path: string): Promise<string> =>
        new Promise((resolve) => {
          const head: (number | string | undefined)[] = []
          pool.dispatch(
            true,
            { path, method: 'GET' },
            {
              onConnect() {},
              onHeaders: (status, headers) => head.push(status, rawHeader(headers, 'x-path')) > 0,
              onData: () => true,
              onComplete: () => resolve(head.join(' ')),
              onError: (error) => resolve(error.message),
            },
          )
        })
      for (let n = 1; n < timesOut; n++) t.equal(await read(`/${n}`), `200 /${n}`)
      t.same(await Promise.all(['/late', '/next'].map((path) => read(path))), ['408 ', '200 /next'])
      t.equal(server.opened(), 2)
    }
  }
})

t.test('an idle connection on which the server sends data is closed', async (t) => {
  const server = await testServer(t)
  const { uses, write } = poolTo(t, server.port, {}, 1)
  await write()
  await pause(20)
  server.connections[0]!.write('HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n')

  await until(() => server.open() === 0)
  t.equal(await write(), '204')
  t.equal(server.connections.length, 2)
  t.same(uses, ['new', 'new'])
})

t.test('without a listener a request fails once, and nothing is opened ahead until one succeeds', async (t) => {
  const server = createServer((_, response) => response.end())
  let connections = 0
  server.on('connection', () => connections++)
  const port = await listenOnFreePort(t, server)
  await new Promise((resolve) => {
    server.close(resolve)
  })
  const { pool, uses, write } = poolTo(t, port)
  pool.keepWarm()

  t.equal(await write(), 'ECONNREFUSED', 'it waits for the connection that is being opened')
  t.equal(await write(), 'ECONNREFUSED')
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve)
  })
  await pause(150)
  t.equal(connections, 0)
  t.equal(await write(), '200')
  await pause(20)
  t.equal(await write(), '200')
  t.same(uses, ['new', 'reused'])
  await until(() => connections === 2)
})

t.test('a pool without a server at startup stops trying until there are requests', async (t) => {
  let connections = 0
  const server = createServer((_, response) => response.end()).on('connection', () => connections++)
  const port = await listenOnFreePort(t, server)
  await new Promise((resolve) => {
    server.close(resolve)
  })
  const { pool, write } = poolTo(t, port)
  pool.keepWarm()
  await pause(50)
  t.equal(await write(), 'ECONNREFUSED')
  t.equal(connections, 0)
})

t.test('more requests than connections wait their turn', async (t) => {
  const server = await testServer(t)
  const { write } = poolTo(t, server.port, {}, 2)

  t.same(
    await Promise.all(Array.from({ length: 5 }, () => write('/slow'))),
    Array.from({ length: 5 }, () => '204'),
  )
  t.equal(server.connections.length, 2)
})

t.test('a connection that is too old for a write makes room for a new one', async (t) => {
  const server = await testServer(t)
  const { uses, write } = poolTo(t, server.port, { assumedUsed: 20 }, 1)

  await write()
  await pause(50)
  t.equal(await write(), '204')
  t.same(uses, ['new', 'new'])
  await until(() => server.open() === 1)
})

t.test('a request that cannot be sent does not use up its connection', async (t) => {
  const server = await testServer(t)
  const { pool, uses, write } = poolTo(t, server.port, {}, 1)

  t.equal(await write('not a path'), 'UND_ERR_INVALID_ARG')
  pool.keepWarm()
  t.equal(await write('not a path'), 'UND_ERR_INVALID_ARG', 'also while it is being opened')
  await untilOpen(server, 1)
  await pause(20)
  t.equal(await write('not a path'), 'UND_ERR_INVALID_ARG')
  t.equal(await write(), '204')
  t.same(uses, ['reserve'])
})

t.test('a waiting request that cannot be sent is sent once, and the next one follows', async (t) => {
  const server = await testServer(t)
  const { pool, write } = poolTo(t, server.port, {}, 1)
  const running = write('/slow')
  await untilOpen(server, 1)
  const errors: string[] = []
  pool.dispatch(
    false,
    { path: 'not a path', method: 'POST' },
    { onConnect() {}, onError: (error) => errors.push((error as NodeJS.ErrnoException).code ?? error.message) },
  )

  t.equal(await write(), '204')
  t.equal(await running, '204')
  t.same(errors, ['UND_ERR_INVALID_ARG'])
})

t.test('destroy closes open connections, connections being opened, and waiting requests', async (t) => {
  const server = await testServer(t)
  const { pool, write } = poolTo(t, server.port, {}, 2)
  const sent = [write('/slow'), write('/slow'), write('/slow')]
  await untilOpen(server, 2)
  await pool.destroy()

  t.same(
    await Promise.all(sent),
    Array.from(sent, () => 'UND_ERR_DESTROYED'),
  )
  t.equal(await write(), 'UND_ERR_DESTROYED')

  const other = poolTo(t, server.port).pool
  other.keepWarm()
  await other.destroy()
  const third = poolTo(t, server.port).pool
  third.keepWarm()
  await untilOpen(server, 4)
  await pause(20)
  await third.destroy()
  await until(() => server.open() === 0)
})
