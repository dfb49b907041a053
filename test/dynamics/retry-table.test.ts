import type { RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer } from 'node:net'

import { generate } from 'selfsigned'
import t from 'tap'
import type { Test } from 'tap'

import type { OutboundRequest } from '../../src/dynamics/send.ts'
import { DynamicsBrokeOff } from '../../src/errors.ts'
import {
  answerJson,
  connectionFixture,
  fixedToken,
  listenOnFreePort,
  outbound,
  pause,
  received,
  service,
} from '../support/connection-fixture.ts'

t.setTimeout(600_000)

// Which requests are retried after which failure: each row uses a real connection and counts at the server.

const ROW = '/api/data/v9.2/accounts(11111111-1111-4111-8111-111111111111)'
const body = Buffer.from('{}')

/** Requests by kind, marked as the proxy marks them. */
const REQUESTS: Readonly<Record<string, () => OutboundRequest>> = {
  GET: () => outbound(),
  'PATCH with If-Match': () => outbound({ method: 'PATCH', path: ROW, headers: ['if-match', '*'], body }),
  'PATCH with If-None-Match': () => outbound({ method: 'PATCH', path: ROW, headers: ['if-none-match', '*'], body }),
  'PUT of a reference': () => outbound({ method: 'PUT', path: `${ROW}/primarycontactid/$ref`, body }),
  'DELETE of a reference': () => outbound({ method: 'DELETE', path: `${ROW}/primarycontactid/$ref` }),
  'create with a key': () => outbound({ method: 'POST', body, repeatable: 'keyed' }),
  create: () => outbound({ method: 'POST', body }),
  'PATCH without a condition': () => outbound({ method: 'PATCH', path: ROW, body, repeatable: 'never' }),
}

const DEADLOCK = { error: { code: '0x80044150', message: 'Sql Number: 1205' } }

interface Row {
  readonly failure: RequestListener
  /** Milliseconds. By default so long that it never ends a request here. */
  readonly requestTimeout?: number
  /** How often each kind of request is sent when its first attempt fails. */
  readonly sends: { readonly read: number; readonly idempotent: number; readonly keyed: number; readonly never: number }
}

const TABLE: Readonly<Record<string, Row>> = {
  'reset before the head of the answer': {
    failure: ({ socket }) => socket.resetAndDestroy(),
    sends: { read: 2, idempotent: 1, keyed: 2, never: 1 },
  },
  'end of the connection before the head of the answer': {
    failure: ({ socket }) => socket.end(),
    sends: { read: 2, idempotent: 1, keyed: 2, never: 1 },
  },
  'break in the middle of the body': {
    failure: (_, response) => {
      response.writeHead(200, { 'content-length': '10' }).write('12345', () => response.destroy())
    },
    sends: { read: 1, idempotent: 1, keyed: 1, never: 1 },
  },
  '429 with Retry-After': {
    failure: (_, response) => answerJson(response, 429, {}, { 'retry-after': '0' }),
    sends: { read: 2, idempotent: 2, keyed: 2, never: 2 },
  },
  '401': {
    failure: (_, response) => answerJson(response, 401, {}),
    sends: { read: 2, idempotent: 2, keyed: 2, never: 2 },
  },
  '500 for a deadlock that was rolled back': {
    failure: (_, response) => answerJson(response, 500, DEADLOCK),
    sends: { read: 2, idempotent: 2, keyed: 2, never: 1 },
  },
  'any other 500': {
    failure: (_, response) => answerJson(response, 500, { error: { code: '0x80040216' } }),
    sends: { read: 1, idempotent: 1, keyed: 1, never: 1 },
  },
  'break in the middle of the body of a 500': {
    failure: (_, response) => {
      response.writeHead(500, { 'content-length': '10' }).write('12345', () => response.destroy())
    },
    sends: { read: 2, idempotent: 1, keyed: 2, never: 1 },
  },
  '502': {
    failure: (_, response) => answerJson(response, 502, {}),
    sends: { read: 2, idempotent: 1, keyed: 2, never: 1 },
  },
  '503': {
    failure: (_, response) => answerJson(response, 503, {}),
    sends: { read: 2, idempotent: 1, keyed: 2, never: 1 },
  },
  '503 with Retry-After': {
    failure: (_, response) => answerJson(response, 503, {}, { 'retry-after': '30' }),
    sends: { read: 1, idempotent: 1, keyed: 1, never: 1 },
  },
  '504': {
    failure: (_, response) => answerJson(response, 504, {}),
    sends: { read: 2, idempotent: 1, keyed: 2, never: 1 },
  },
  'an answer that is not HTTP': {
    failure: ({ socket }) => socket.end('this is not HTTP\r\n\r\n'),
    sends: { read: 1, idempotent: 1, keyed: 1, never: 1 },
  },
  'no answer in time': {
    failure: () => undefined,
    requestTimeout: 300,
    sends: { read: 1, idempotent: 1, keyed: 1, never: 1 },
  },
}

/** How often `request` arrives at a service that fails first, and then responds with 204. */
async function sendsOf(t: Test, request: OutboundRequest, { failure, requestTimeout = 60_000 }: Row): Promise<number> {
  let sends = 0
  const origin = await service(t, async (incoming, response) => {
    await received(incoming)
    sends++
    if (sends === 1) failure(incoming, response)
    else response.writeHead(204).end()
  })
  const { send } = connectionFixture(t, origin, { requestTimeout }, fixedToken('one', 'two'))
  await send(request)
    .then(
      ({ body }) => body.bytes(1000),
      () => undefined,
    )
    .catch(() => undefined)
  return sends
}

for (const [name, row] of Object.entries(TABLE)) {
  t.test(`retries: ${name}`, async (t) => {
    const requests = Object.entries(REQUESTS).map(([kind, make]) => ({ kind, request: make() }))
    const counts = await Promise.all(requests.map(({ request }) => sendsOf(t, request, row)))
    for (const [index, { kind, request }] of requests.entries()) {
      t.equal(counts[index], row.sends[request.repeatable], kind)
    }
  })
}

t.test('retries: reset of a connection that was used before', async (t) => {
  const sends = { read: 2, idempotent: 1, keyed: 2, never: 1 }
  for (const [kind, make] of Object.entries(REQUESTS)) {
    let count = 0
    const origin = await service(t, async (incoming, response) => {
      await received(incoming)
      count++
      // The first request opens the connection.
      if (count === 2) incoming.socket.resetAndDestroy()
      else response.writeHead(204).end()
    })
    const { send, events } = connectionFixture(t, origin)
    ;(await send(outbound())).body.dump()
    await pause(10)

    const request = make()
    await send(request).then(
      ({ body }) => body.dump(),
      () => undefined,
    )
    t.equal(count - 1, sends[request.repeatable], kind)
    t.equal(request.record.allAttempts()[0]!.connection, 'reused')
    t.same(
      events.map((event) => 'reason' in event && event.reason),
      sends[request.repeatable] === 2 ? ['stale-connection'] : [],
    )
  }
})

t.test('retries: a certificate that is not trusted, so nothing was sent', async (t) => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }])
  let connections = 0
  const server = createHttpsServer({ cert, key }).on('connection', () => connections++)
  const origin = `https://127.0.0.1:${await listenOnFreePort(t, server)}`
  for (const [kind, make] of Object.entries(REQUESTS)) {
    const { send, events } = connectionFixture(t, origin)
    await t.rejects(send(make()), { code: 'GATEWAY_DYNAMICS_UNREACHABLE' }, kind)
    t.same(events, [], 'a retry would not be trusted either')
  }
  t.equal(connections, Object.keys(REQUESTS).length)
})

t.test('retries: no connection, so nothing was sent', async (t) => {
  for (const [kind, make] of Object.entries(REQUESTS)) {
    const { send, events } = connectionFixture(t, await closedPort(t))

    await t.rejects(send(make()), { code: 'GATEWAY_DYNAMICS_UNREACHABLE' })

    t.match(events[0], { kind: 'retry', reason: 'no-connection' }, kind)
  }
})

t.test('a keyed create is retried three times, and then the caller is advised to send it again', async (t) => {
  let sends = 0
  const origin = await service(t, ({ socket }) => {
    sends++
    socket.resetAndDestroy()
  })
  const { send } = connectionFixture(t, origin)
  const idempotency = { key: 'k', entitySet: 'accounts', user: '', wantsRow: false }

  await t.rejects(send(outbound({ method: 'POST', body, repeatable: 'keyed' })), { code: new DynamicsBrokeOff().code })
  t.equal(sends, 4)
  await t.rejects(send(outbound({ method: 'POST', body, idempotency })), { code: 'GATEWAY_TABLE_LOOKUP_FAILED' })
})

/** The origin of a port without a listener. */
async function closedPort(t: Test): Promise<string> {
  const server = createServer()
  const port = await listenOnFreePort(t, server)
  await new Promise((resolve) => {
    server.close(resolve)
  })
  return `http://127.0.0.1:${port}`
}
