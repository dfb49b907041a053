import type { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'

import t from 'tap'

import { header } from '../../../src/dynamics/send.ts'
import {
  answerJson,
  outbound,
  pause,
  received,
  service,
  text,
  connectionFixture,
} from '../../support/connection-fixture.ts'
import { until } from '../../support/until.ts'

t.setTimeout(600_000)

const COUNT = '0x80072322'
const TIME = '0x80072321'
const CONCURRENCY = '0x80072326'

/** Responds with 429 as Dynamics does. */
function refuse(response: ServerResponse, code: string, retryAfter?: string): void {
  answerJson(
    response,
    429,
    { error: { code, message: 'Number of requests exceeded the limit' } },
    retryAfter === undefined ? {} : { 'retry-after': retryAfter },
  )
}

/** Refuses the first `times` requests. */
function refusing(
  times: number,
  code: string,
  retryAfter?: string,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (_, response) => (times-- > 0 ? refuse(response, code, retryAfter) : response.writeHead(204).end())
}

t.test('a refused request is sent again after Retry-After, with any method and its body', async (t) => {
  const seen: [number, string][] = []
  const origin = await service(t, async (request, response) => {
    const body = await received(request)
    seen.push([performance.now(), body])
    if (seen.length === 1) refuse(response, COUNT, '1')
    else response.writeHead(204).end()
  })
  const { send, events } = connectionFixture(t, origin)
  const request = outbound({ method: 'POST', body: Readable.from([Buffer.from('{"name":"Fabrikam"}')]) })

  const answer = await send(request)

  t.equal(answer.status, 204)
  t.same(
    seen.map(([, body]) => body),
    ['{"name":"Fabrikam"}', '{"name":"Fabrikam"}'],
  )
  t.ok(seen[1]![0] - seen[0]![0] >= 999, 'not before the second is over')
  t.ok(request.timings.wait >= 900)
  t.match(events, [
    { kind: 'pause', wait: 1000 },
    { kind: 'limit', limit: 'count', waits: true },
  ])
})

t.test("a wait longer than the caller's timeout is passed on at once, with the remaining time", async (t) => {
  const origin = await service(t, refusing(1, TIME, '30'))
  const { send } = connectionFixture(t, origin)

  const answer = await send(outbound())
  await pause(1100)

  t.equal(answer.status, 429)
  t.equal(header(answer, 'retry-after'), '30')
  t.match(JSON.parse(await text(answer)), { error: { code: TIME } }, "Dynamics' own words")
  await t.rejects(
    send(outbound({ method: 'POST' })),
    { code: 'GATEWAY_LIMIT_HOLDS', statusCode: 429, retryAfter: /^2\d$/ },
    'and no other request is sent',
  )
})

t.test("the setting and the caller's deadline limit the wait", async (t) => {
  const origin = await service(t, refusing(3, COUNT, '60'))
  const deadline = performance.now() + 59_000

  t.equal((await connectionFixture(t, origin, { maxRetryWait: 0 }).send(outbound())).status, 429)
  t.equal((await connectionFixture(t, origin, { maxRetryWait: 59_999 }).send(outbound())).status, 429)
  t.equal((await connectionFixture(t, origin, { maxRetryWait: 600_000 }).send(outbound({ deadline }))).status, 429)
})

t.test('consecutive waits count together against the limit', async (t) => {
  let requests = 0
  const origin = await service(t, (_, response) => {
    requests++
    refuse(response, COUNT, '1')
  })

  t.equal((await connectionFixture(t, origin, { maxRetryWait: 2500 }).send(outbound())).status, 429)
  t.ok(requests === 3 || requests === 2, 'after 0, 1 and perhaps 2 seconds; another would be too late')
})

t.test('a streamed body is not sent again', async (t) => {
  const origin = await service(t, async (request, response) => {
    await received(request)
    refuse(response, COUNT, '1')
  })
  const { send } = connectionFixture(t, origin, { keepBody: 4 })

  const answer = await send(outbound({ method: 'POST', body: Readable.from([Buffer.from('{"name":"Fabrikam"}')]) }))

  t.equal(answer.status, 429)
  t.equal(header(answer, 'retry-after'), '1')
})

t.test('a streamed body whose connection opens during a pause is refused with the limit', async (t) => {
  const origin = await service(t, refusing(1, COUNT, '200'))
  const { send, agent, events } = connectionFixture(t, origin)
  const { writes } = agent
  let open: (() => boolean) | undefined
  // A connection that takes long to open.
  const dispatch: typeof writes.dispatch = (options, handler) => {
    open = () => writes.dispatch(options, handler)
    return true
  }
  Object.assign(agent, { writes: { dispatch } })
  const request = outbound({ method: 'POST', body: new PassThrough(), bodyLength: 10_000_000 })

  const uploading = send(request)
  await until(() => open !== undefined)
  t.equal((await send(outbound())).status, 429)
  open!()

  await t.rejects(uploading, { code: 'GATEWAY_LIMIT_HOLDS', retryAfter: 200 })
  t.notOk(request.record.sent)
  t.match(events.at(-1), { kind: 'request-paused', waits: false })
})

t.test('nothing is sent during a pause, and then one probe goes first', async (t) => {
  // Long enough for all requests to arrive meanwhile.
  const PAUSE_MS = 3000
  const seen: { at: number; concurrent: number }[] = []
  let concurrent = 0
  let ends = 0
  const origin = await service(t, (_, response) => {
    seen.push({ at: performance.now(), concurrent: ++concurrent })
    // Two pauses, one after the other.
    const times = seen.length
    setTimeout(() => {
      concurrent--
      if (times > 2) {
        response.writeHead(204).end()
      } else {
        ends = performance.now() + PAUSE_MS
        refuse(response, times === 1 ? COUNT : TIME, String(PAUSE_MS / 1000))
      }
    }, 50)
  })
  const { send, state } = connectionFixture(t, origin)

  const first = send(outbound())
  await until(() => state().waitingForPause === 1)
  const others = Array.from({ length: 30 }, () => send(outbound({ method: 'POST' })))
  await until(() => state().waitingForPause === 31)
  t.match(state(), { waitingForPause: 31, running: 0 }, 'waiting requests occupy no slot')
  const statuses = (await Promise.all([first, ...others])).map(({ status }) => status)

  t.same([...new Set(statuses)], [204])
  t.equal(seen.length, 33, '31 requests and two refusals')
  t.ok(seen[1]!.at - seen[0]!.at >= PAUSE_MS + 49)
  t.ok(seen[2]!.at >= ends - 1, 'the second pause is respected too')
  t.equal(seen[2]!.concurrent, 1, 'one goes first')
  t.ok(seen[3]!.at - seen[2]!.at >= 49, 'and the others after it succeeded')
})

t.test('requests that arrive during the probe wait for it', async (t) => {
  let requests = 0
  let endProbe: (() => void) | undefined
  const origin = await service(t, (_, response) => {
    requests++
    if (requests === 1) refuse(response, COUNT, '1')
    else if (requests === 2) endProbe = () => response.writeHead(204).end()
    else response.writeHead(204).end()
  })
  const { send, events, state } = connectionFixture(t, origin, { maxRetryWait: 1000 })

  const probe = send(outbound())
  await until(() => endProbe !== undefined)
  const other = send(outbound())
  await until(() => state().waitingForPause === 1)
  endProbe!()

  t.equal((await probe).status, 204)
  t.equal((await other).status, 204)
  t.same(
    events.filter(({ kind }) => kind === 'request-paused'),
    [],
  )
})

t.test('a cancelled probe does not block the others', async (t) => {
  let requests = 0
  const origin = await service(t, (_, response) => {
    requests++
    if (requests === 1) refuse(response, COUNT, '1')
    else if (requests > 2) response.writeHead(204).end()
  })
  const { send, state } = connectionFixture(t, origin)

  const first = outbound()
  const hangs = send(first)
  await until(() => state().waitingForPause === 1)
  const answer = await send(outbound())

  t.equal(answer.status, 204)
  first.cancellation.cancel(new Error('left'))
  await t.rejects(hangs, { message: 'left' })
})

t.test('requests that wait for a slot are paused too', async (t) => {
  let requests = 0
  const origin = await service(t, (_, response) => {
    requests++
    setTimeout(() => refuse(response, COUNT, '5'), 100)
  })
  const { send } = connectionFixture(t, origin, { concurrency: 1, maxRetryWait: 100 })

  const answers = await Promise.allSettled(Array.from({ length: 5 }, () => send(outbound())))

  t.equal(requests, 1, 'requests that waited for a slot are not sent any more')
  t.match(answers, [
    { value: { status: 429 } },
    ...Array.from({ length: 4 }, () => ({ reason: { code: 'GATEWAY_LIMIT_HOLDS', retryAfter: 5 } })),
  ])
})

t.test('a request whose caller disconnected is not sent after the pause', async (t) => {
  let requests = 0
  const origin = await service(t, (_, response) => {
    requests++
    refuse(response, COUNT, '3')
  })
  const { send, state } = connectionFixture(t, origin)
  const request = outbound()
  const other = outbound()

  const answer = send(request)
  await until(() => state().waitingForPause === 1)
  const second = send(other)
  await until(() => state().waitingForPause === 2)
  request.cancellation.cancel(new Error('left'))
  other.cancellation.cancel(new Error('left'))

  await t.rejects(answer, { message: 'left' })
  await t.rejects(second, { message: 'left' })
  await pause(3200)
  t.equal(requests, 1)
  t.equal(state().waitingForPause, 0)
})

t.test('a concurrency refusal lowers the limit, and other requests hardly wait', async (t) => {
  let running = 0
  let most = 0
  const origin = await service(t, (_, response) => {
    running++
    most = Math.max(most, running)
    setTimeout(() => {
      if (running-- > 10) refuse(response, CONCURRENCY, '1')
      else response.writeHead(204).end()
    }, 50)
  })
  const { send, state, events } = connectionFixture(t, origin)

  const answers = await Promise.all(Array.from({ length: 60 }, () => send(outbound({ method: 'POST' }))))

  t.same([...new Set(answers.map(({ status }) => status))], [204])
  t.ok(most <= 52 && most > 10, `${most} at once`)
  t.ok(state().limit < 52, `${state().limit} at once`)
  t.ok(events.some((event) => event.kind === 'concurrency'))
})

t.test('a refusal without Retry-After is also retried after a wait', async (t) => {
  const origin = await service(
    t,
    (() => {
      let requests = 0
      return (_, response) => {
        requests++
        if (requests === 1) response.writeHead(429, { 'content-type': 'text/html' }).end('<html>')
        else if (requests === 2)
          response
            .writeHead(429, { 'content-encoding': 'gzip', 'retry-after': '0' })
            .end(gzipSync('{"error":{"code":"0x80072321"}}'))
        else response.writeHead(204).end()
      }
    })(),
  )
  const { send, events } = connectionFixture(t, origin)

  t.equal((await send(outbound())).status, 204)
  t.match(
    events.filter(({ kind }) => kind === 'limit'),
    [{ limit: 'other', wait: Number }, { limit: 'time' }],
  )
})

t.test('a truncated refusal is an error, and its pause still applies', async (t) => {
  let requests = 0
  const origin = await service(t, (_, response) => {
    requests++
    response.writeHead(429, { 'content-length': '100', 'retry-after': '30' }).write('half')
    setTimeout(() => response.destroy(), 20)
  })
  const { send } = connectionFixture(t, origin)

  await t.rejects(send(outbound()), { code: 'GATEWAY_DYNAMICS_BROKE_OFF' })
  await pause(1200)
  await t.rejects(send(outbound()), { code: 'GATEWAY_LIMIT_HOLDS' })
  t.equal(requests, 1)
})

t.test('reports the remaining limits of Dynamics, and starts the concurrency limit at its hint', async (t) => {
  const origin = await service(t, (_, response) =>
    response
      .writeHead(204, {
        'x-ms-ratelimit-burst-remaining-xrm-requests': '5,999',
        'x-ms-ratelimit-time-remaining-xrm-requests': '1,200.00',
        'x-ms-dop-hint': '4',
      })
      .end(),
  )
  const { send, state, events } = connectionFixture(t, origin)

  await send(outbound())

  t.match(state(), { limit: 4, limitReason: 'hint', share: 4, rates: { requests: 5999, seconds: 1200, parallel: 4 } })
  t.match(events, [{ kind: 'concurrency', limit: 4, reason: 'hint' }])
})
