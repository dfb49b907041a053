import { createServer } from 'node:http'
import type { RequestListener, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createGzip, gzipSync } from 'node:zlib'

import t from 'tap'
import type { Test } from 'tap'

import { bodyOf } from '../../src/cache/stored-response.ts'
import { responseBatch } from '../../src/odata/batch.ts'
import { responseLinks } from '../../src/odata/response-links.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import { urlMap } from '../../src/odata/url-map.ts'
import { writeResponse } from '../../src/proxy/write-response.ts'
import { outbound, socketService, connectionFixture } from '../support/connection-fixture.ts'
import { rawSocket } from '../support/raw-socket.ts'

/** Responds as the gateway does, with the cause as the text. */
function refusing(response: ServerResponse): (cause: unknown) => void {
  return (cause) => response.writeHead(502).end((cause as Error).message)
}

/** For responses that can be passed on. */
function refuse(cause: unknown): never {
  throw cause
}

async function listening(t: Test, handler: RequestListener): Promise<string> {
  const server: Server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => void server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A service whose response comes in two chunks with a pause between them, or is truncated after the first. */
async function callerOf(t: Test, breaksOff: boolean): Promise<string> {
  const service: string = await listening(t, (_request, response) => {
    const [first, second] = [`{"@odata.context":"${service}/api/data/v9.2/$metadata#x",`, '"value":[]}']
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': first!.length + second!.length })
    response.write(first)
    setTimeout(() => (breaksOff ? response.destroy() : response.end(second)), 100)
  })
  const { send } = connectionFixture(t, service)
  const map = urlMap(targetAddress(`${service}/api/data/v9.2`), { base: 'http://gateway.example:8080', form: 'short' })
  return listening(
    t,
    (_request, response) =>
      void send(outbound()).then((answer) => {
        writeResponse(answer.body, response, {
          status: answer.status,
          headers: [],
          contentLength: '12',
          hasBody: true,
          coding: undefined,
          transform: responseLinks(map),
          refuse: refusing(response),
        })
      }),
  )
}

t.test('sends a short response that arrives in chunks at once, with the length after rewriting', async (t) => {
  const url = await callerOf(t, false)

  const { text } = await rawSocket(url, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')

  const [head, body] = text.split('\r\n\r\n') as [string, string]
  t.equal(body, '{"@odata.context":"http://gateway.example:8080/$metadata#x","value":[]}')
  t.match(head, new RegExp(`content-length: ${body.length}(\\r\\n|$)`))
  t.notMatch(head, /chunked/)
})

t.test('refuses a short response that is truncated between chunks, and sends nothing of it', async (t) => {
  const url = await callerOf(t, true)

  const response = await fetch(url)

  t.equal(response.status, 502)
  t.equal(await response.text(), 'other side closed')
})

t.test('a response without a length is complete if the connection ends, and truncated if it is reset', async (t) => {
  const part = '{"value":['
  const send = async (end: (socket: Socket) => void): ReturnType<typeof rawSocket> => {
    const service = await socketService(t, (socket) =>
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n${part}`)
        setTimeout(() => end(socket), 100)
      }),
    )
    const { send } = connectionFixture(t, service)
    const url = await listening(
      t,
      (_request, response) =>
        void send(outbound()).then(({ status, body }) => {
          writeResponse(body, response, {
            status,
            headers: [],
            contentLength: undefined,
            hasBody: true,
            coding: undefined,
            transform: undefined,
            refuse,
          })
        }),
    )
    return rawSocket(url, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  }

  const ended = await send((socket) => socket.end())
  const broken = await send((socket) => socket.resetAndDestroy())

  t.notOk(ended.reset)
  t.match(ended.text, /\r\n0\r\n\r\n$/)
  t.ok(broken.reset)
  t.notMatch(broken.text, /\r\n0\r\n\r\n$/)
})

for (const [what, batch, isReset] of [
  ['ends too early', '--x\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', true],
  ['cannot be read', '--x\r\nno header\r\n\r\n--x--\r\n', false],
] as const) {
  t.test(`${isReset ? 'resets' : 'refuses'} a batch that came in gzip and ${what}, and goes on`, async (t) => {
    const service = await listening(t, (_request, response) => response.end(gzipSync(batch)))
    const { send } = connectionFixture(t, service)
    const map = urlMap(targetAddress(service), { base: 'http://gateway.example', form: 'short' })
    const url = await listening(
      t,
      (_request, response) =>
        void send(outbound()).then(({ status, body }) => {
          const transform = responseBatch(map, 'multipart/mixed; boundary=x')
          writeResponse(body, response, {
            status,
            headers: [],
            contentLength: undefined,
            hasBody: true,
            coding: 'gzip',
            transform,
            refuse: refusing(response),
          })
        }),
    )

    const { reset, text } = await rawSocket(url, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')

    t.equal(reset, isReset)
    t.equal(text.startsWith('HTTP/1.1 502 '), !isReset)
  })
}

t.test('refuses a short malformed batch, with any chunk borders', async (t) => {
  const batch = '--x\r\nno header\r\n\r\n--x--\r\n'
  for (const pause of [0, 50]) {
    const service = await listening(t, (_request, response) => {
      response.writeHead(200, { 'content-length': batch.length }).write(batch.slice(0, 20))
      setTimeout(() => response.end(batch.slice(20)), pause)
    })
    const { send } = connectionFixture(t, service)
    const map = urlMap(targetAddress(service), { base: 'http://gateway.example', form: 'short' })
    const url = await listening(
      t,
      (_request, response) =>
        void send(outbound()).then(({ status, body }) => {
          writeResponse(body, response, {
            status,
            headers: [],
            contentLength: String(batch.length),
            hasBody: true,
            coding: undefined,
            transform: responseBatch(map, 'multipart/mixed; boundary=x'),
            refuse: refusing(response),
          })
        }),
    )

    const answer = await fetch(url)

    t.equal(answer.status, 502)
    t.match(await answer.text(), /head in the batch/)
  }
})

t.test('an empty body with Content-Encoding: gzip is an empty body', async (t) => {
  const service = await listening(t, (_request, response) => {
    response.writeHead(200, { 'content-length': 0 }).end()
  })
  const { send } = connectionFixture(t, service)
  const map = urlMap(targetAddress(service), { base: 'http://gateway.example', form: 'short' })
  const url = await listening(
    t,
    (_request, response) =>
      void send(outbound()).then(({ status, body }) => {
        writeResponse(body, response, {
          status,
          headers: [],
          contentLength: '0',
          hasBody: true,
          coding: 'gzip',
          transform: responseLinks(map),
          refuse,
        })
      }),
  )

  const { text, reset } = await rawSocket(url, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')

  t.notOk(reset)
  t.match(text, /^HTTP\/1\.1 200 OK\r\ncontent-length: 0\r\n/)
})

t.test('gzip without content is an empty body', async (t) => {
  const service = await listening(t, (_request, response) => response.end(gzipSync('')))
  const { send } = connectionFixture(t, service)
  const map = urlMap(targetAddress(service), { base: 'http://gateway.example', form: 'short' })
  const url = await listening(
    t,
    (_request, response) =>
      void send(outbound()).then(({ status, body }) => {
        writeResponse(body, response, {
          status,
          headers: [],
          contentLength: undefined,
          hasBody: true,
          coding: 'gzip',
          transform: responseLinks(map),
          refuse,
        })
      }),
  )

  const { text, reset } = await rawSocket(url, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')

  t.notOk(reset)
  t.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n0\r\n\r\n$/)
})

t.test('a body that cannot be decoded any further resets the connection once, whatever follows', async (t) => {
  const gzip = createGzip()
  gzip.write('[1,')
  await new Promise<void>((resolve) => gzip.flush(resolve))
  const start = gzip.read() as Buffer
  const service = await listening(t, (request, response) => {
    response.write(start)
    setTimeout(() => response.write('this is not gzip'), 100)
    void broken.then(() => request.socket.resetAndDestroy())
  })
  let breakOff = (): void => undefined
  const broken = new Promise<void>((resolve) => (breakOff = resolve))
  const { send } = connectionFixture(t, service)
  let over: Promise<void> | undefined
  const url = await listening(
    t,
    (_request, response) =>
      void send(outbound()).then(({ status, body }) => {
        over = new Promise((resolve) => body.onClose(resolve))
        writeResponse(body, response, {
          status,
          headers: [],
          contentLength: undefined,
          hasBody: true,
          coding: 'gzip',
          transform: undefined,
          refuse,
        })
      }),
  )

  const { text, reset } = await rawSocket(url, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')

  t.ok(reset)
  t.match(text, '[1,')
  breakOff()
  await over
})

t.test('a head that Node does not write becomes an error, with or without a body', async (t) => {
  const service = await listening(t, (_request, response) => response.end('{}'))
  const { send } = connectionFixture(t, service)
  for (const hasBody of [true, false]) {
    const url = await listening(t, (_request, response) => {
      void send(outbound()).then((answer) => {
        const refuseOnce = refusing(response)
        try {
          writeResponse(answer.body, response, {
            status: 200,
            headers: ['x-two-lines', 'one\ntwo'],
            contentLength: '2',
            hasBody,
            coding: undefined,
            transform: undefined,
            refuse: refuseOnce,
          })
        } catch (cause) {
          // As the proxy does.
          refuseOnce(cause)
        }
      })
    })

    const response = await fetch(url)

    t.equal(response.status, 502)
    t.match(await response.text(), /Invalid character in header content/)
  }
})

t.test('responses that are ready in one turn of the event loop are written at its end', async (t) => {
  const sentAtOnce: boolean[] = []
  const ready: (() => void)[] = []
  const url = await listening(t, (_request, response) => {
    ready.push(() => {
      writeResponse(bodyOf(Buffer.from('{}')), response, {
        status: 200,
        headers: [],
        contentLength: '2',
        hasBody: true,
        coding: undefined,
        transform: undefined,
        refuse,
      })
      sentAtOnce.push(response.headersSent)
    })
    if (ready.length === 2) for (const write of ready) write()
  })

  const texts = await Promise.all([1, 2].map(async () => (await fetch(url)).text()))

  t.strictSame(texts, ['{}', '{}'])
  t.strictSame(sentAtOnce, [false, false])
})
