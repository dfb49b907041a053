import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, ListenOptions, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { connect as connectSecurely } from 'node:tls'

import { generate } from 'selfsigned'
import t from 'tap'
import type { Test } from 'tap'

import { inboundServer } from '../../src/server/server.ts'
import { until } from '../support/until.ts'

const HEAD = 'HTTP/1.1\r\nHost: localhost\r\n'

/** More than Node reads in one turn of the event loop. */
const MANY = 60_000

for (const kind of ['TCP', 'TLS', 'Unix socket'] as const) {
  t.test(`${kind}: a caller that pipelines and reads nothing has few requests in process`, async (t) => {
    let started = 0
    const { dial, accepted } = await serverOf(t, kind, (_request, response) => {
      started++
      setImmediate(() => response.end('x'.repeat(100_000)))
    })
    const caller = await dial()
    caller.pause()
    const requests = gets(MANY)
    caller.write(requests)
    const [connection] = accepted as [Socket]
    let bytes = -1
    await until(() => {
      const isQuiet = started > 1 && bytes === connection.bytesWritten
      bytes = connection.bytesWritten
      return isQuiet
    })

    // What the system takes of the responses lets further requests begin.
    t.ok(started - Math.ceil(bytes / 100_000) < 100, `${started} were started`)
    t.ok(connection.bytesRead < requests.length / 2, `${connection.bytesRead} of ${requests.length} bytes were read`)
  })

  t.test(`${kind}: many requests at once are answered in order`, async (t) => {
    const { dial } = await serverOf(t, kind, ({ url }, response) => {
      const answer = (): void => void response.end(`answer ${url};${'x'.repeat(500)}`)
      if (url!.endsWith('7')) setTimeout(answer, 1)
      else setImmediate(answer)
    })
    const caller = await dial()
    caller.write(`${gets(3000)}GET /last ${HEAD}Connection: close\r\n\r\n`)

    const answers = (await everything(caller)).match(/(?<=answer \/)\w+/g)
    t.strictSame(answers, [...Array.from({ length: 3000 }, (_, index) => String(index)), 'last'])
  })
}

t.test('when the connection closes, running requests end, and queued ones never begin', async (t) => {
  const begun: string[] = []
  let closed = 0
  const { dial } = await serverOf(t, 'TCP', ({ url }, response) => {
    begun.push(url!)
    response.once('close', () => closed++)
  })
  const caller = await dial()
  caller.write(gets(50))
  await until(() => begun.length > 0)
  caller.resetAndDestroy()
  await until(() => closed === begun.length)

  t.strictSame(
    begun,
    Array.from({ length: 17 }, (_, index) => `/${index}`),
  )
})

t.test('a head that is not read because requests are queued is not late', async (t) => {
  const { caller, answerAll } = await withUnreadHead(t)
  caller.write(` ${HEAD}Connection: close\r\n\r\n`)
  answerAll()

  t.equal((await everything(caller)).match(/answer \/\w+/g)?.at(-1), 'answer /last')
})

t.test('a head that does not go on when its connection is read again is late', async (t) => {
  const { caller, answerAll } = await withUnreadHead(t)
  // Each byte would restart the time of an idle connection.
  caller.write(' ')
  answerAll()

  t.match(await everything(caller), /answer \/199;HTTP\/1\.1 408 /)
})

t.test('a head that arrives after its time is not executed behind a running request', async (t) => {
  const started: string[] = []
  let answer!: () => void
  const { server, dial, accepted } = await serverOf(
    t,
    'TCP',
    ({ url }, response) => {
      started.push(url!)
      answer = () => response.end('answer')
    },
    { headTimeout: 200 },
  )
  const caller = await dial()
  caller.write(`GET /first ${HEAD}\r\nPOST /late ${HEAD}`)
  await until(() => started.length === 1)
  await once(server, 'clientError')
  const before = accepted[0]!.bytesRead
  caller.write('Content-Length: 0\r\n\r\n')
  await until(() => accepted[0]!.bytesRead > before)
  answer()

  t.match(await everything(caller), /^HTTP\/1\.1 200 .*answer.*HTTP\/1\.1 408 /s)
  t.strictSame(started, ['/first'])
})

t.test('what completes a request after its 408 is not executed', async (t) => {
  for (const [first, rest] of [
    [`POST / ${HEAD}`, 'Content-Length: 0\r\n\r\n'],
    [`POST / ${HEAD}Content-Length: 4\r\n\r\n12`, '34'],
  ] as const) {
    let completed = 0
    const { dial, accepted } = await serverOf(
      t,
      'TCP',
      (request) =>
        void request
          .on('error', () => undefined)
          .on('end', () => completed++)
          .resume(),
      { headTimeout: 200, bodyTimeout: 200 },
    )
    const caller = await dial({ allowHalfOpen: true })
    caller.write(first)
    await once(caller, 'data')
    const [connection] = accepted as [Socket]
    const before = connection.bytesRead
    caller.write(rest)
    await until(() => connection.bytesRead > before || connection.destroyed)
    await once(connection, 'close')

    t.equal(completed, 0)
  }
})

t.test('a body that stops arriving gets no 408 before the response to an earlier request', async (t) => {
  let answer!: () => void
  const { dial } = await serverOf(
    t,
    'TCP',
    (request, response) => {
      if (request.url === '/0') answer = () => response.end('answer')
      else request.on('error', () => undefined).resume()
    },
    { bodyTimeout: 200 },
  )
  const caller = await dial()
  caller.write(`${gets(1)}POST /late ${HEAD}Content-Length: 4\r\n\r\n12`)
  setTimeout(() => answer(), 800)

  t.match(await everything(caller), /^HTTP\/1\.1 200 .*answer.*HTTP\/1\.1 408 /s)
})

t.test('a caller that reads nothing is cut off, although its last requests are queued', async (t) => {
  const { dial, accepted } = await serverOf(
    t,
    'TCP',
    (_request, response) => void response.end(Buffer.alloc(4 * 1024 * 1024)),
    { bodyTimeout: 500 },
  )
  const caller = await dial()
  caller.pause()
  caller.write(gets(50))
  await until(() => accepted[0]!.destroyed)
  t.pass()
})

t.test('a tunnel is refused after the response to an earlier request', async (t) => {
  const { dial } = await serverOf(t, 'TCP', (_request, response) => void setTimeout(() => response.end('answer'), 100))
  const caller = await dial()
  caller.write(`${gets(1)}CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n`)

  t.match(await everything(caller), /^HTTP\/1\.1 200 .*answer.*HTTP\/1\.1 405 /s)
})

/** `number` requests for `/0`, `/1` … */
function gets(number: number): string {
  return Array.from({ length: number }, (_, index) => `GET /${index} ${HEAD}\r\n`).join('')
}

async function serverOf(
  t: Test,
  kind: 'TCP' | 'TLS' | 'Unix socket',
  handler: RequestListener,
  times: { readonly headTimeout?: number; readonly bodyTimeout?: number } = {},
) {
  // The path of a Unix socket may have 107 bytes.
  const folder = mkdtempSync(`${tmpdir()}/pipelined-`)
  t.teardown(() => rmSync(folder, { recursive: true }))
  const tls = kind === 'TLS' ? await certificateIn(folder) : undefined
  const server = inboundServer(
    { headTimeout: 60_000, bodyTimeout: 600_000, ...times, maxConnections: 10, tls, callers: [] },
    { info: () => undefined, error: () => undefined },
    handler,
  )
  const accepted: Socket[] = []
  server.on(kind === 'TLS' ? 'secureConnection' : 'connection', (socket: Socket) => accepted.push(socket))
  const where: ListenOptions = kind === 'Unix socket' ? { path: `${folder}/s` } : { port: 0, host: '127.0.0.1' }
  await once(server.listen(where), 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const dial = async (options: { readonly allowHalfOpen?: boolean } = {}): Promise<Socket> => {
    const to = kind === 'Unix socket' ? { path: `${folder}/s` } : { port: (server.address() as AddressInfo).port }
    const caller =
      kind === 'TLS'
        ? connectSecurely({ ...to, host: '127.0.0.1', rejectUnauthorized: false })
        : connect({ host: '127.0.0.1', ...to, ...options })
    t.teardown(() => caller.destroy())
    caller.on('error', () => undefined)
    await once(caller, kind === 'TLS' ? 'secureConnect' : 'connect')
    await until(() => accepted.length > 0)
    return caller
  }
  return { server, dial, accepted }
}

async function certificateIn(folder: string) {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
  })
  writeFileSync(`${folder}/c.pem`, cert)
  writeFileSync(`${folder}/k.pem`, key)
  return { certificate: `${folder}/c.pem`, key: `${folder}/k.pem`, clientCa: undefined }
}

async function everything(socket: Socket): Promise<string> {
  let received = ''
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1')
  })
  await once(socket, 'close')
  return received
}

/** A caller whose last head is incomplete, and not read because 200 requests come before it, until it would be late. */
async function withUnreadHead(t: Test): Promise<{ readonly caller: Socket; readonly answerAll: () => void }> {
  const started: (() => void)[] = []
  const { server, dial } = await serverOf(
    t,
    'TCP',
    ({ url }, response) => void started.push(() => response.end(`answer ${url};`)),
    { headTimeout: 200 },
  )
  const caller = await dial()
  caller.write(`${gets(200)}GET /last`)
  await until(() => started.length === 17)
  await once(server, 'clientError')
  return {
    caller,
    answerAll() {
      const answering = setInterval(() => started.splice(0).forEach((answer) => answer()), 1)
      t.teardown(() => clearInterval(answering))
    },
  }
}
