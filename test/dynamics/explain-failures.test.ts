import type { Socket } from 'node:net'
import { PassThrough, Readable } from 'node:stream'

import t from 'tap'

import type { Target } from '../../src/config/schema.ts'
import { chain } from '../../src/dynamics/chain.ts'
import { explainFailures, failureKind } from '../../src/dynamics/explain-failures.ts'
import { Failure } from '../../src/dynamics/failure.ts'
import type { OutboundRequest, Send } from '../../src/dynamics/send.ts'
import { BodyTooLarge } from '../../src/errors.ts'
import { outbound, received, service, socketService, text, connectionFixture } from '../support/connection-fixture.ts'

t.setTimeout(600_000)

t.test('classifies failures by their codes', async (t) => {
  const kind = (code: string | undefined, sent: boolean, statusCode?: number): string =>
    failureKind(new Failure(Object.assign(new Error(), { code, statusCode }), sent, false))
  t.equal(kind('ECONNREFUSED', false), 'unreachable')
  t.equal(kind('ENOTFOUND', false), 'unreachable')
  for (const code of [
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_SSL_WRONG_VERSION_NUMBER',
  ]) {
    t.equal(kind(code, false), 'untrusted', code)
  }
  t.equal(kind(undefined, false), 'unreachable')
  t.equal(kind('UND_ERR_CONNECT_TIMEOUT', false), 'connect-timeout')
  t.equal(kind('ETIMEDOUT', false), 'connect-timeout')
  t.equal(kind('ETIMEDOUT', true), 'broke-off')
  t.equal(kind('ECONNRESET', true), 'broke-off')
  t.equal(kind('UND_ERR_SOCKET', true), 'broke-off')
  t.equal(kind('UND_ERR_HEADERS_TIMEOUT', true), 'head-timeout')
  t.equal(kind('HPE_INVALID_CONSTANT', true), 'answer-invalid')
  t.equal(kind('UND_ERR_HEADERS_OVERFLOW', true), 'answer-invalid')
  t.equal(kind('UND_ERR_INVALID_ARG', false), 'request-invalid')
  t.equal(kind('UND_ERR_DESTROYED', false), 'stopping')
  t.equal(kind('GATEWAY_BODY_TOO_LARGE', true, 413), 'ours')
  t.equal(kind('FST_ERR_CTP_BODY_TOO_LARGE', true, 413), 'ours')
})

t.test('no connection within the timeout is GATEWAY_DYNAMICS_TOO_SLOW', async (t) => {
  const slow: Send = () =>
    Promise.reject(new Failure(Object.assign(new Error(), { code: 'UND_ERR_CONNECT_TIMEOUT' }), false, false))
  const send = chain([() => explainFailures({ connect: 5000, head: 1, idle: 1 })], slow)
  await t.rejects(send(outbound()), {
    code: 'GATEWAY_DYNAMICS_TOO_SLOW',
    statusCode: 504,
    message: /no connection within 5000 ms \(CONNECT_TIMEOUT\)/,
  })
})

t.test('a head that undici refuses to send is an error of the caller', async (t) => {
  await t.rejects(connectionFixture(t, 'http://127.0.0.1:9').send(outbound({ headers: ['x', 'a\nb'] })), {
    code: 'GATEWAY_BAD_REQUEST',
  })
})

t.test('a refused connection is "unreachable", without the address', async (t) => {
  const { send } = connectionFixture(t, 'http://127.0.0.1:9')

  const error = (await send(outbound()).catch((error: Error) => error)) as Error & { cause: { code: string } }

  t.match(error, { code: 'GATEWAY_DYNAMICS_UNREACHABLE', statusCode: 502, cause: { code: 'ECONNREFUSED' } })
  t.notMatch(error.message, /127\.0|ECONN/)
})

t.test('a connection that breaks before the response is GATEWAY_DYNAMICS_BROKE_OFF', async (t) => {
  const reset = await socketService(t, (socket) => socket.once('data', () => socket.resetAndDestroy()))
  const end = await socketService(t, (socket) => socket.once('data', () => socket.end()))

  await t.rejects(connectionFixture(t, reset).send(outbound({ method: 'POST' })), {
    code: 'GATEWAY_DYNAMICS_BROKE_OFF',
    statusCode: 502,
  })
  await t.rejects(connectionFixture(t, end).send(outbound({ method: 'POST' })), {
    code: 'GATEWAY_DYNAMICS_BROKE_OFF',
    statusCode: 502,
  })
})

t.test('a response that is not HTTP is invalid, and does not affect the next request', async (t) => {
  const answers = [
    'HELLO\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello',
    `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(140_000)}\r\n\r\n`,
    'HTTP/1.1 99 Odd\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood',
  ]
  const origin = await socketService(t, (socket) => socket.once('data', () => socket.write(answers.shift()!)))
  const { send } = connectionFixture(t, origin)

  for (let left = answers.length; left > 1; left--) {
    await t.rejects(send(outbound({ method: 'POST' })), {
      statusCode: 502,
      code: /^GATEWAY_DYNAMICS_(ANSWER_INVALID|BROKE_OFF)$/,
    })
  }
  t.equal(await text(await send(outbound({ method: 'POST' }))), 'good')
})

t.test('a few 1xx responses may come before the final one; a flood of them is an error', async (t) => {
  const early = 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'
  const few = await socketService(t, (socket) =>
    socket.once('data', () => socket.write(`${early.repeat(5)}HTTP/1.1 204 No Content\r\n\r\n`)),
  )
  const flood = await socketService(t, (socket) =>
    socket.once('data', () => {
      const more = setInterval(() => socket.write(early), 5)
      socket.on('close', () => clearInterval(more))
    }),
  )

  t.equal((await connectionFixture(t, few).send(outbound())).status, 204)
  await t.rejects(connectionFixture(t, flood).send(outbound()), { code: 'GATEWAY_DYNAMICS_ANSWER_INVALID' })
})

t.test('an unsolicited response is dropped', async (t) => {
  const origin = await socketService(t, (socket) => {
    let requests = 0
    socket.on('data', () => {
      requests++
      const answer = `HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nright`
      socket.write(requests === 1 ? `${answer}HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong` : answer)
    })
  })
  const { send } = connectionFixture(t, origin)

  for (let request = 0; request < 5; request++) t.equal(await text(await send(outbound())), 'right')
})

t.test('no response within the timeout is GATEWAY_DYNAMICS_TOO_SLOW, and names the timeout', async (t) => {
  const origin = await socketService(t, () => {})
  const { send } = connectionFixture(t, origin, { requestTimeout: 300 })

  await t.rejects(send(outbound({ method: 'POST' })), {
    code: 'GATEWAY_DYNAMICS_TOO_SLOW',
    statusCode: 504,
    message: /REQUEST_TIMEOUT/,
  })
})

t.test('a write without a response is reported as possibly executed; a read is not', async (t) => {
  const doubt = /The change may have been made. Check before you send it again\.$/
  const silent = await socketService(t, () => {})
  const invalid = await socketService(t, (socket) => socket.once('data', () => socket.write('HELLO\r\n\r\n')))
  const flood = await socketService(t, (socket) =>
    socket.once('data', () => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(50))),
  )
  const broken = await socketService(t, (socket) => socket.once('data', () => socket.end()))
  const ends: [origin: string, waits: Partial<Target>, late: boolean, code: RegExp][] = [
    [silent, { requestTimeout: 300 }, false, /^GATEWAY_DYNAMICS_TOO_SLOW$/],
    [silent, { totalTimeout: 300 }, false, /^GATEWAY_DYNAMICS_TOO_SLOW$/],
    [silent, {}, true, /^GATEWAY_DYNAMICS_TOO_SLOW$/],
    [broken, {}, false, /^GATEWAY_DYNAMICS_BROKE_OFF$/],
    [invalid, {}, false, /^GATEWAY_DYNAMICS_(ANSWER_INVALID|BROKE_OFF)$/],
    [flood, {}, false, /^GATEWAY_DYNAMICS_ANSWER_INVALID$/],
  ]
  for (const [origin, waits, late, code] of ends) {
    const { send } = connectionFixture(t, origin, waits)
    const ask = async (is: Partial<OutboundRequest>): Promise<Error> => {
      const error: unknown = await send(
        outbound({
          ...is,
          ...(late ? { deadline: performance.now() + 300 } : {}),
        }),
      ).catch((error: unknown) => error)
      return error as Error
    }
    t.match(await ask({ method: 'POST', repeatable: 'never' }), { code, message: doubt })
    t.match(await ask({ method: 'DELETE', repeatable: 'idempotent' }), { code, message: doubt })
    const read = await ask({ method: 'GET', repeatable: 'read' })
    t.match(read, { code })
    t.notMatch(read.message, doubt)
  }
  const unsent = await connectionFixture(t, 'http://127.0.0.1:9')
    .send(outbound({ method: 'POST', repeatable: 'never' }))
    .catch((error: Error) => error)
  t.notMatch((unsent as Error).message, doubt, 'nothing was sent')
})

t.test('a write that times out while it waits for a slot was not sent', async (t) => {
  const origin = await socketService(t, () => {})
  const { send } = connectionFixture(t, origin, { concurrency: 1, requestTimeout: 60_000 })
  const ask = (deadline: number | undefined): Promise<unknown> =>
    send(outbound({ method: 'POST', repeatable: 'never', deadline })).catch((error: unknown) => error)

  const [first, second] = await Promise.all([ask(performance.now() + 600), ask(performance.now() + 300)])

  t.match(first, { code: 'GATEWAY_DYNAMICS_TOO_SLOW', message: /may have been made/ })
  t.match(second, { code: 'GATEWAY_DYNAMICS_TOO_SLOW' })
  t.notMatch((second as Error).message, /may have been made/)
})

t.test('a truncated response fails, and never ends as if it were complete', async (t) => {
  const halves = [
    'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nha',
  ]
  for (const half of halves) {
    for (const end of ['end', 'resetAndDestroy'] as const) {
      let answering: Socket | undefined
      const origin = await socketService(t, (socket) =>
        socket.once('data', () => {
          answering = socket
          socket.write(half)
        }),
      )
      const { status, body } = await connectionFixture(t, origin).send(outbound())
      t.equal(status, 200)
      // By now the head has arrived; an earlier reset would discard it.
      answering![end]()
      const over = new Promise<void>((resolve) => body.onClose(resolve))
      await t.rejects(body.bytes(1000), `${half.slice(17)} ${end}`)
      await over
    }
  }
})

t.test('a response body that stalls fails', async (t) => {
  const origin = await socketService(t, (socket) =>
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf')),
  )
  const { body } = await connectionFixture(t, origin, { idleTimeout: 300 }).send(outbound())

  await t.rejects(body.bytes(1000), { code: 'UND_ERR_BODY_TIMEOUT' })
})

t.test('a request body over the limit keeps its own error, also when half of it was sent', async (t) => {
  const origin = await service(t, async (request, response) => {
    await received(request).catch(() => {})
    response.end()
  })
  const { send } = connectionFixture(t, origin, { keepBody: 1 })
  const body = new PassThrough()
  body.write('12345678')
  setTimeout(() => body.destroy(new BodyTooLarge('4')), 100)

  await t.rejects(send(outbound({ method: 'POST', body })), { code: 'GATEWAY_BODY_TOO_LARGE', statusCode: 413 })
})

t.test('a body that does not match its declared length is an error of the caller', async (t) => {
  const origin = await service(t, (_, response) => response.end())
  const { send } = connectionFixture(t, origin, { keepBody: 1 })

  await t.rejects(send(outbound({ method: 'POST', body: Readable.from([Buffer.from('12345678')]), bodyLength: 4 })), {
    code: 'GATEWAY_BAD_REQUEST',
  })
})

t.test('a destroyed agent means that the gateway is stopping', async (t) => {
  const origin = await service(t, (_, response) => response.end())
  const { send, agent } = connectionFixture(t, origin)
  await agent.destroy()

  await t.rejects(send(outbound()), { code: 'GATEWAY_STOPPING', statusCode: 503, retryAfter: 1 })
})
