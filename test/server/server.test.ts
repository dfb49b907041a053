import { once } from 'node:events'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

import t from 'tap'
import type { Test } from 'tap'

import { inboundServer } from '../../src/server/server.ts'
import { get, rawRequest, requestOf } from '../support/raw-http.ts'

const log = { info: () => undefined, error: () => undefined }
const settings = { headTimeout: 300, bodyTimeout: 300, maxConnections: 4096, tls: undefined, callers: [] }

t.test('a head that does not arrive in time gets 408, and does not keep its connection', async (t) => {
  // Slowloris: many connections, each sending a byte now and then.
  const server = await serverOf(t, (_request, response) => response.end())
  const socket = dial(t, server)
  socket.write('GET / HTTP/1.1\r\n')
  const dripping = setInterval(() => socket.write('X: y\r\n'), 50)
  t.teardown(() => clearInterval(dripping))

  t.match(await everything(socket), /^HTTP\/1\.1 408 .*GATEWAY_REQUEST_TOO_SLOW/s)
})

t.test('a connection that never sends anything is closed without a response', async (t) => {
  const server = await serverOf(t, (_request, response) => response.end(), { bodyTimeout: 60_000 })

  t.equal(await everything(dial(t, server)), '')
})

t.test('a body that stops arriving gets 408', async (t) => {
  const server = await serverOf(t, (request) => void request.resume())
  const socket = dial(t, server)
  socket.write(requestOf('POST /', 'Content-Length: 10') + 'abc')

  t.match(await everything(socket), /^HTTP\/1\.1 408 .*GATEWAY_REQUEST_TOO_SLOW/s)
})

t.test('a body may take any time while it makes progress', async (t) => {
  const server = await serverOf(
    t,
    (request, response) => {
      request.resume().on('end', () => response.end('taken'))
    },
    { bodyTimeout: 2000 },
  )
  const socket = dial(t, server)
  socket.write(requestOf('POST /', 'Content-Length: 12'))
  for (let sent = 0; sent < 12; sent += 1) {
    await pause(250)
    socket.write('x')
  }

  t.match(await everything(socket), /^HTTP\/1\.1 200 .*taken/s)
})

t.test('a response that has not begun may take any time', async (t) => {
  const server = await serverOf(t, (_request, response) => void setTimeout(() => response.end('late'), 1000))

  t.match(await rawRequest(server, get('/')), { status: 200, body: 'late' })
})

t.test('a caller that waits for 100 Continue does not time out with its body', async (t) => {
  const server = await serverOf(
    t,
    (request, response) => {
      setTimeout(() => response.writeContinue(), 2500)
      request.on('data', () => undefined).on('end', () => response.end('taken'))
    },
    { bodyTimeout: 1000 },
  )
  const socket = dial(t, server)
  socket.write(requestOf('POST /', 'Expect: 100-continue', 'Content-Length: 3'))
  const [going] = (await once(socket, 'data')) as [Buffer]
  t.match(String(going), /^HTTP\/1\.1 100 Continue/)
  socket.write('abc')

  t.match(await everything(socket), /^HTTP\/1\.1 200 .*taken/s)
})

t.test('a caller that gets 100 Continue and sends no body gets 408', async (t) => {
  const server = await serverOf(t, (request, response) => {
    response.writeContinue()
    request.resume()
  })
  const socket = dial(t, server)
  socket.write(requestOf('POST /', 'Expect: 100-continue', 'Content-Length: 3'))

  t.match(await everything(socket), /100 Continue.*HTTP\/1\.1 408 /s)
})

t.test('a caller that does not read its response is cut off', async (t) => {
  // A slow reader occupies memory for the response, and a connection to Dynamics.
  const closed: Promise<unknown>[] = []
  const server = await serverOf(t, (_request, response) => {
    closed.push(once(response, 'close'))
    const fill = (): void => {
      while (response.write(Buffer.alloc(1024 * 1024)));
    }
    response.on('drain', fill)
    fill()
  })
  const socket = dial(t, server)
  socket.pause()
  socket.write(get('/'))

  while (closed.length === 0) await pause(10)
  await closed[0]
  t.pass('the answer is given up')
})

t.test(
  'a caller that reads nothing of a large response is cut off after bodyTimeout, not after twice that',
  async (t) => {
    // The kernel accepts a part of the first write at once, which is not progress of the caller.
    const patience = 2000
    let closed: Promise<unknown> | undefined
    const server = await serverOf(
      t,
      (_request, response) => {
        closed = once(response, 'close')
        response.end(Buffer.alloc(64 * 1024 * 1024))
      },
      { bodyTimeout: patience },
    )
    const socket = dial(t, server)
    socket.pause()
    socket.write(get('/'))

    while (closed === undefined) await pause(10)
    t.equal(await Promise.race([closed.then(() => 'given up'), pause(2 * patience, 'waited on')]), 'given up')
  },
)

t.test('a caller that reads one large write slowly gets all of it', async (t) => {
  const large = Buffer.alloc(16 * 1024 * 1024)
  const server = await serverOf(t, (_request, response) => void response.end(large), { bodyTimeout: 1500 })
  const socket = dial(t, server)
  let taken = 0
  const closed = once(socket, 'close')
  socket.on('data', (chunk: Buffer) => {
    const before = taken
    taken += chunk.length
    // A pause after each mebibyte, so that the complete transfer takes longer than the timeout.
    if (Math.floor(before / MEBIBYTE) === Math.floor(taken / MEBIBYTE)) return
    socket.pause()
    setTimeout(() => socket.resume(), 200)
  })
  socket.write(get('/'))

  await closed
  t.ok(taken > large.length)
})

t.test(
  'a body that stalls during its response cuts the connection, so that the response never looks complete',
  async (t) => {
    const server = await serverOf(t, (request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('part')
      request.resume()
    })
    const socket = dial(t, server)
    socket.write(requestOf('POST /', 'Content-Length: 10') + 'abc')

    const answer = await everything(socket)
    t.ok(answer.endsWith('part'))
    t.notMatch(answer, /408/)
  },
)

t.test('a body that stalls after the response does not keep the connection open', async (t) => {
  const server = await serverOf(t, (_request, response) => response.writeHead(403).end('refused'))
  const answers = ['Content-Length: 10\r\n\r\nabc', 'Transfer-Encoding: chunked\r\n\r\na\r\nabc'].map((rest) => {
    const socket = dial(t, server)
    socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\n${rest}`)
    return everything(socket)
  })

  // Node closes an idle connection, too, but after more than a minute.
  for (const answer of answers) {
    const received = await Promise.race([answer, pause(20_000, 'kept', { ref: false })])
    t.match(received, /^HTTP\/1\.1 403 .*refused/s)
    t.notMatch(received, /408/)
  }
})

t.test('a connection between two requests may be idle for longer than bodyTimeout', async (t) => {
  const server = await serverOf(t, (_request, response) => response.writeHead(403).end('refused'))
  const socket = dial(t, server)
  const answers = everything(socket)
  const post = 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n'
  socket.write(`${post}\r\nabc`)
  await pause(1000)
  socket.write(`${post}Connection: close\r\n\r\nabc`)

  t.equal((await answers).match(/refused/g)?.length, 2)
})

t.test('malformed bytes during a response cut the connection too', async (t) => {
  const server = await serverOf(t, (request, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('part')
    request.resume()
  })
  const socket = dial(t, server)
  socket.write(requestOf('POST /', 'Transfer-Encoding: chunked') + '1\r\na\r\n')
  await once(socket, 'data')
  socket.write('no chunk\r\n')

  t.notMatch(await everything(socket), /400/)
})

t.test('pipelined requests are answered in order', async (t) => {
  const server = await serverOf(
    t,
    (request, response) => {
      request
        .resume()
        .on('end', () => setTimeout(() => response.end(`answer ${request.url}`), request.url === '/1' ? 100 : 0))
    },
    { bodyTimeout: 5000 },
  )
  const socket = dial(t, server)
  socket.write(
    'POST /1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\n' +
      'Host: localhost\r\n\r\n' +
      get('/3'),
  )

  t.strictSame((await everything(socket)).match(/answer .\d/g), ['answer /1', 'answer /2', 'answer /3'])
})

t.test('malformed bytes do not replace the response to the request before them', async (t) => {
  const server = await serverOf(t, (_request, response) => void setTimeout(() => response.end('made'), 100), {
    bodyTimeout: 5000,
  })
  const socket = dial(t, server)
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\nno request\r\n\r\n')

  t.match(await everything(socket), /^HTTP\/1\.1 200 .*made.*HTTP\/1\.1 4\d\d .*"GATEWAY_/s)
})

t.test('a malformed body of a pipelined request does not replace the response to the request before it', async (t) => {
  const server = await serverOf(
    t,
    (request, response) => {
      request.resume()
      if (request.url === '/1') setTimeout(() => response.end('made'), 200)
    },
    { bodyTimeout: 5000 },
  )
  const socket = dial(t, server)
  const head = 'HTTP/1.1\r\nHost: localhost\r\n'
  socket.write(`POST /1 ${head}Content-Length: 0\r\n\r\nPOST /2 ${head}Transfer-Encoding: chunked\r\n\r\nno chunk\r\n`)

  t.match(await everything(socket), /^HTTP\/1\.1 200 .*made.*HTTP\/1\.1 400 .*"GATEWAY_BAD_REQUEST"/s)
})

t.test('a caller that stays after a refusal is cut off after a moment', async (t) => {
  const server = await serverOf(t, (_request, response) => response.end(), { bodyTimeout: 60_000 })
  const socket = dial(t, server, { allowHalfOpen: true })
  const sending = setInterval(() => socket.write('more of it\r\n'), 50)
  t.teardown(() => clearInterval(sending))
  socket.write('no request\r\n\r\n')

  t.match(await everything(socket), /^HTTP\/1\.1 400 .*GATEWAY_BAD_REQUEST/s)
})

t.test('connections beyond the limit are closed at once', async (t) => {
  const server = await serverOf(t, (_request, response) => response.end('answered'), { maxConnections: 1 })
  const accepted = once(server, 'connection')
  const first = dial(t, server)
  await accepted

  t.equal((await rawRequest(server, get('/'))).status, 0)
  first.write(get('/'))
  t.match(await everything(first), /answered/)
})

t.test('an idle connection is kept for a while, and then closed', async (t) => {
  const server = await serverOf(t, (_request, response) => response.end('answered'))
  server.keepAliveTimeout = 100
  const socket = dial(t, server)
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')

  t.match(await everything(socket), /answered/)
})

t.test('all header lines are seen, whatever their number', async (t) => {
  const server = await serverOf(t, (request, response) => response.end(String(request.rawHeaders.length / 2)))

  t.equal((await rawRequest(server, get('/', ...Array.from({ length: 5000 }, () => 'a: b')))).body, '5002')
})

t.test('a tunnel is refused', async (t) => {
  const server = await serverOf(t, (_request, response) => response.end())

  const answer = await rawRequest(server, 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n')
  t.match(answer, { status: 405, code: 'GATEWAY_METHOD_NOT_ALLOWED' })
  const [, allowed = ''] = /\r\nAllow: (GET, .*)\r\n/.exec(answer.head) ?? []
  t.match(answer.body, `Use one of ${allowed}."`)
})

t.test('a caller that asks for a tunnel and resets its connection ends nothing else', async (t) => {
  const server = await serverOf(t, (_request, response) => response.end())
  const socket = dial(t, server)
  const closed = new Promise((resolve) => {
    server.on('connect', (_request, tunnel) => {
      tunnel.on('close', resolve)
      socket.resetAndDestroy()
    })
  })
  socket.write('CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n')
  await closed

  t.match(await rawRequest(server, get('/')), { status: 200 })
})

const MEBIBYTE = 1024 * 1024

async function serverOf(t: Test, handler: RequestListener, changes: Partial<typeof settings> = {}): Promise<Server> {
  const server = inboundServer(
    { ...settings, ...changes },
    log,
    handler as (request: IncomingMessage, response: ServerResponse) => void,
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return server
}

function dial(t: Test, server: Server, options: { allowHalfOpen?: boolean } = {}): Socket {
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', ...options })
  t.teardown(() => socket.destroy())
  return socket
}

async function everything(socket: Socket): Promise<string> {
  let received = ''
  socket
    .on('data', (chunk) => {
      received += chunk.toString('latin1')
    })
    .on('error', () => undefined)
  await new Promise((resolve) => socket.once('close', resolve))
  return received
}
