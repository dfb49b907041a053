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
  listening,
  outbound,
  pause,
  received,
  service,
  sockets,
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

/** A service whose first answer is `first` and whose others are 204; gives what it received. */
async function troubled(t: Test, first: RequestListener): Promise<ConnectionFixture & { readonly seen: string[] }> {
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
  'the table: what was surely not carried out, anybody; what may have been, reads and creates with a key',
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

  const reader = await troubled(t, reset)
  t.equal((await reader.send(outbound())).status, 204)
  t.equal(reader.seen.length, 2)
  t.match(reader.events, [{ kind: 'retry', trouble: 'broke-off' }])

  for (const write of [create(), conditional(), outbound({ method: 'DELETE' })]) {
    const { send, seen } = await troubled(t, reset)
    await t.rejects(send(write), { code: 'GATEWAY_DYNAMICS_BROKE_OFF' })
    t.equal(seen.length, 1, write.method)
  }
})

t.test('a read whose connection had just been closed is retried on one that was not', async (t) => {
  for (const end of ['end', 'resetAndDestroy'] as const) {
    const opened: Socket[] = []
    const unanswered: string[] = []
    // As when a far end restarts: each connection ends with the next request on it.
    const origin = await sockets(t, (socket) => {
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
    t.match(events, [{ kind: 'retry', trouble: 'stale-connection' }])
    t.equal(opened.length, 5)
  }
})

t.test('on 502, 503 and 504 a read is retried, and the second response counts', async (t) => {
  for (const status of [502, 503, 504]) {
    const reader = await troubled(t, (_, response) => answerJson(response, status, { message: 'busy' }))
    t.equal((await reader.send(outbound())).status, 204)
    t.equal(reader.seen.length, 2)

    const writer = await troubled(t, (_, response) => answerJson(response, status, { message: 'busy' }))
    const answer = await writer.send(conditional())
    t.equal(answer.status, status)
    t.equal(await text(answer), '{"message":"busy"}')
    t.equal(writer.seen.length, 1)
  }
  let requests = 0
  const origin = await service(t, (_, response) => answerJson(response, 503, { request: ++requests }))
  t.equal(await text(await connectionFixture(t, origin).send(outbound())), '{"request":2}')
})

t.test("a 503 that says when to come again is the caller's", async (t) => {
  const { send, seen } = await troubled(t, (_, response) => answerJson(response, 503, {}, { 'retry-after': '30' }))

  t.equal((await send(outbound())).status, 503)
  t.equal(seen.length, 1)
})

t.test(
  "a deadlock in Dynamics' database was undone: reads and conditional writes are retried, others not",
  async (t) => {
    const deadlock: RequestListener = (_, response) => answerJson(response, 500, DEADLOCK)

    for (const request of [outbound(), conditional()]) {
      const { send, seen, events } = await troubled(t, deadlock)
      t.equal((await send(request)).status, 204)
      t.equal(seen.length, 2)
      t.match(events, [{ kind: 'retry', trouble: 'deadlock' }])
    }
    const { send, seen } = await troubled(t, deadlock)
    const answer = await send(create())
    t.same(JSON.parse(await text(answer)), DEADLOCK)
    t.equal(seen.length, 1)
  },
)

t.test('a packed error is read as well, and one that cannot be read stands as it is', async (t) => {
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
    const { send } = await troubled(t, (_, response) =>
      response.writeHead(500, { 'content-encoding': coding }).end(body),
    )
    const answer = await send(outbound())
    t.equal(answer.status, status, coding)
    if (status === 500) t.same(await answer.body.bytes(10_000), body)
  }
})

t.test('any other 500 is passed on completely', async (t) => {
  const { send, seen } = await troubled(t, (_, response) => {
    response.writeHead(500).write('{"error":')
    setTimeout(() => response.end('{"code":"0x80040216"}}'), 30)
  })

  const answer = await send(outbound())
  t.equal(await text(answer), '{"error":{"code":"0x80040216"}}')
  t.equal(seen.length, 1)
  t.equal(isDeadlock('{"error":{"code":"0x80044150","message":"SQL timeout"}}'), false)
  t.equal(isDeadlock('{"error":{"code":"-2147204784","message":"Sql Number: 1205"}}'), true)
})

t.test('if no connection was made, any method is retried', async (t) => {
  // Nobody listens at first; the second attempt follows at once, so somebody must listen very soon.
  const gone = createServer()
  const port = await listening(t, gone)
  await new Promise((resolve) => {
    gone.close(resolve)
  })
  const { send, events } = connectionFixture(t, `http://127.0.0.1:${port}`)

  await t.rejects(send(create()), { code: 'GATEWAY_DYNAMICS_UNREACHABLE' })
  t.match(events, [{ kind: 'retry', trouble: 'no-connection' }])
  t.equal(events.length, 1)
})

t.test('a body that is not at hand any more is not sent again', async (t) => {
  const { events, send } = connectionFixture(t, 'http://127.0.0.1:9', { keepBody: 1 })

  await t.rejects(send(outbound({ method: 'PUT', body: Readable.from([Buffer.from('12345')]) })))
  t.same(events, [])
})

t.test(
  'a connection that Dynamics had closed: reads never notice, however often, and writes meet none that is old',
  async (t) => {
    // Answers the first request on each connection, and resets the connection when the second comes.
    let resets = 0
    const origin = await sockets(t, (socket) => {
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
    t.ok(events.every((event) => event.kind === 'retry' && event.trouble === 'stale-connection'))

    t.equal((await send(create())).status, 204)
    await pause(2500)
    t.equal((await send(create())).status, 204, 'after two idle seconds on a new connection')
  },
)

t.test('an outage is not made worse: one in five is sent again', async (t) => {
  let requests = 0
  const origin = await sockets(t, (socket) =>
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

t.test('who leaves between two attempts is not sent again', async (t) => {
  const { send, seen, events } = await troubled(t, (_, response) => answerJson(response, 503, {}))
  const request = { ...read, cancellation: outbound().cancellation }

  // As soon as it is to be sent again, which is a moment later.
  const note = events.push.bind(events)
  events.push = (...one) => {
    queueMicrotask(() => request.cancellation.cancel(new Error('left')))
    return note(...one)
  }

  await t.rejects(send(request), { message: 'left' })
  await pause(300)
  t.equal(seen.length, 1)
})
