import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'

import t from 'tap'
import type { Test } from 'tap'

import { RETRYABLE } from '../../src/dynamics/retry-policy.ts'
import { isDeadlock } from '../../src/dynamics/retry.ts'
import {
  answerJson,
  listenOnFreePort,
  outbound,
  pause,
  received,
  service,
  socketService,
  text,
  connectionFixture,
} from '../support/connection-fixture.ts'
import type { ConnectionFixture } from '../support/connection-fixture.ts'
import { until } from '../support/until.ts'

t.setTimeout(600_000)

const DEADLOCK = {
  error: {
    code: '0x80044150',
    message: 'Sql error: Generic SQL error. CRM ErrorCode: -2147012606 Sql ErrorCode: -2146232060 Sql Number: 1205',
  },
}

/** A service whose first response is `first`, and whose others are 204. Returns what it received. */
async function failingFirst(t: Test, first: RequestListener): Promise<ConnectionFixture & { readonly seen: string[] }> {
  const seen: string[] = []
  const origin = await service(t, async (request, response) => {
    seen.push(`${request.method} ${await received(request)}`)
    if (seen.length === 1) first(request, response)
    else response.writeHead(204).end()
  })
  return { ...connectionFixture(t, origin), seen }
}

const read = outbound()
const conditional = (): ReturnType<typeof outbound> =>
  outbound({ method: 'PATCH', headers: ['if-match', '*'], body: Buffer.from('{}') })
const create = (): ReturnType<typeof outbound> => outbound({ method: 'POST', body: Buffer.from('{}') })

t.test(
  'what was surely not executed is retried for all requests; what may have been executed, for reads and keyed creates',
  async (t) => {
    t.same(RETRYABLE, {
      'no-connection': { read: true, idempotent: true, keyed: true, never: true },
      'stale-connection': { read: true, idempotent: false, keyed: true, never: false },
      'broke-off': { read: true, idempotent: false, keyed: true, never: false },
      busy: { read: true, idempotent: false, keyed: true, never: false },
      deadlock: { read: true, idempotent: true, keyed: true, never: false },
    })
  },
)

t.test('if a connection breaks before the response, a read is retried, a write never', async (t) => {
  const reset: RequestListener = ({ socket }) => socket.resetAndDestroy()

  const reader = await failingFirst(t, reset)
  t.equal((await reader.send(outbound())).status, 204)
  t.equal(reader.seen.length, 2)
  t.match(reader.events, [{ kind: 'retry', reason: 'broke-off' }])

  for (const write of [create(), conditional(), outbound({ method: 'DELETE' })]) {
    const { send, seen } = await failingFirst(t, reset)
    await t.rejects(send(write), { code: 'GATEWAY_DYNAMICS_BROKE_OFF' })
    t.equal(seen.length, 1, write.method)
  }
})

t.test('a read on a connection that was just closed is retried on another one', async (t) => {
  for (const end of ['end', 'resetAndDestroy'] as const) {
    const opened: Socket[] = []
    const unanswered: string[] = []
    // As when a server restarts: each connection ends with the next request on it.
    const origin = await socketService(t, (socket) => {
      let requests = 0
      opened.push(socket)
      socket.on('data', (head) => {
        if (++requests > 1) {
          unanswered.push(String(head).split(' ', 1)[0]!)
          return socket[end]()
        }
        const answer = (): unknown => socket.write('HTTP/1.1 204 No Content\r\n\r\n')
        return opened.length < 4 ? void until(() => opened.length >= 4).then(answer) : answer()
      })
    })
    const { send, events } = connectionFixture(t, origin)
    await Promise.all(Array.from({ length: 4 }, () => send(outbound())))

    t.equal((await send(outbound())).status, 204, end)
    t.same(unanswered, ['GET'])
    t.match(events, [{ kind: 'retry', reason: 'stale-connection' }])
    t.equal(opened.length, 5)
  }
})

t.test('after 502, 503 and 504 a read is retried, and the second response is passed on', async (t) => {
  for (const status of [502, 503, 504]) {
    const reader = await failingFirst(t, (_, response) => answerJson(response, status, { message: 'busy' }))
    t.equal((await reader.send(outbound())).status, 204)
    t.equal(reader.seen.length, 2)

    const writer = await failingFirst(t, (_, response) => answerJson(response, status, { message: 'busy' }))
    const answer = await writer.send(conditional())
    t.equal(answer.status, status)
    t.equal(await text(answer), '{"message":"busy"}')
    t.equal(writer.seen.length, 1)
  }
  let requests = 0
  const origin = await service(t, (_, response) => answerJson(response, 503, { request: ++requests }))
  t.equal(await text(await connectionFixture(t, origin).send(outbound())), '{"request":2}')
})

t.test('a 503 with Retry-After is passed on to the caller', async (t) => {
  const { send, seen } = await failingFirst(t, (_, response) => answerJson(response, 503, {}, { 'retry-after': '30' }))

  t.equal((await send(outbound())).status, 503)
  t.equal(seen.length, 1)
})

t.test('after a database deadlock, which was rolled back, reads and conditional writes are retried', async (t) => {
  const deadlock: RequestListener = (_, response) => answerJson(response, 500, DEADLOCK)

  for (const request of [outbound(), conditional()]) {
    const { send, seen, events } = await failingFirst(t, deadlock)
    t.equal((await send(request)).status, 204)
    t.equal(seen.length, 2)
    t.match(events, [{ kind: 'retry', reason: 'deadlock' }])
  }
  const { send, seen } = await failingFirst(t, deadlock)
  const answer = await send(create())
  t.same(JSON.parse(await text(answer)), DEADLOCK)
  t.equal(seen.length, 1)
})

t.test('a compressed error is decoded, and one that cannot be decoded is passed on unchanged', async (t) => {
  const packed = Buffer.from(JSON.stringify(DEADLOCK))
  const codings: [string, Buffer, number][] = [
    ['gzip', gzipSync(packed), 204],
    ['br', brotliCompressSync(packed), 204],
    ['deflate', deflateSync(packed), 204],
    ['identity', packed, 204],
    ['zstd', packed, 500],
    ['gzip', packed, 500],
  ]
  for (const [coding, body, status] of codings) {
    const { send } = await failingFirst(t, (_, response) =>
      response.writeHead(500, { 'content-encoding': coding }).end(body),
    )
    const answer = await send(outbound())
    t.equal(answer.status, status, coding)
    if (status === 500) t.same(await answer.body.bytes(10_000), body)
  }
})

t.test('any other 500 is passed on unchanged', async (t) => {
  const { send, seen } = await failingFirst(t, (_, response) => {
    response.writeHead(500).write('{"error":')
    setTimeout(() => response.end('{"code":"0x80040216"}}'), 30)
  })

  const answer = await send(outbound())
  t.equal(await text(answer), '{"error":{"code":"0x80040216"}}')
  t.equal(seen.length, 1)
  t.equal(isDeadlock('{"error":{"code":"0x80044150","message":"SQL timeout"}}'), false)
  t.equal(isDeadlock('{"error":{"code":"-2147204784","message":"Sql Number: 1205"}}'), true)
})

t.test('without a connection, any method is retried', async (t) => {
  // At first nothing listens. The second attempt follows at once, so the listener must start very soon.
  const gone = createServer()
  const port = await listenOnFreePort(t, gone)
  await new Promise((resolve) => {
    gone.close(resolve)
  })
  const { send, events } = connectionFixture(t, `http://127.0.0.1:${port}`)

  await t.rejects(send(create()), { code: 'GATEWAY_DYNAMICS_UNREACHABLE' })
  t.match(events, [{ kind: 'retry', reason: 'no-connection' }])
  t.equal(events.length, 1)
})

t.test('a streamed body is not sent again', async (t) => {
  const { events, send } = connectionFixture(t, 'http://127.0.0.1:9', { keepBody: 1 })

  await t.rejects(send(outbound({ method: 'PUT', body: Readable.from([Buffer.from('12345')]) })))
  t.same(events, [])
})

t.test('connections that Dynamics has closed do not affect reads, and writes do not use old connections', async (t) => {
  // Answers the first request on each connection, and resets the connection at the second one.
  let resets = 0
  const origin = await socketService(t, (socket) => {
    let requests = 0
    socket.on('data', () => {
      if (++requests === 1) return socket.write('HTTP/1.1 204 No Content\r\nkeep-alive: timeout=60\r\n\r\n')
      resets++
      return socket.resetAndDestroy()
    })
  })
  const { send, events } = connectionFixture(t, origin)

  for (let request = 0; request < 40; request++) {
    t.equal((await send(outbound())).status, 204)
    await pause(2)
  }
  t.ok(resets >= 15, `${resets} closed connections were met, more than a budget would bear`)
  t.ok(events.every((event) => event.kind === 'retry' && event.reason === 'stale-connection'))

  t.equal((await send(create())).status, 204)
  await pause(2500)
  t.equal((await send(create())).status, 204, 'after two idle seconds on a new connection')
})

t.test('during an outage at most one in five requests is retried', async (t) => {
  let requests = 0
  const origin = await socketService(t, (socket) =>
    socket.once('data', () => {
      requests++
      socket.resetAndDestroy()
    }),
  )
  const { send, events } = connectionFixture(t, origin)

  const answers = await Promise.allSettled(Array.from({ length: 200 }, () => send(outbound())))

  t.ok(answers.every(({ status }) => status === 'rejected'))
  t.ok(requests > 200 && requests <= 240, `${requests} requests for 200`)
  t.equal(events.filter(({ kind }) => kind === 'retry-budget').length, 400 - requests)
})

t.test('a request whose caller disconnects between two attempts is not retried', async (t) => {
  const { send, seen, events } = await failingFirst(t, (_, response) => answerJson(response, 503, {}))
  const request = { ...read, cancellation: outbound().cancellation }

  // As soon as the retry is decided, which is shortly before it is sent.
  const note = events.push.bind(events)
  events.push = (...one) => {
    queueMicrotask(() => request.cancellation.cancel(new Error('left')))
    return note(...one)
  }

  await t.rejects(send(request), { message: 'left' })
  await pause(300)
  t.equal(seen.length, 1)
})
