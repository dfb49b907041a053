import t from 'tap'

import { requestIds, RequestRecord } from '../../src/dynamics/request-record.ts'
import { answerJson, outbound, service, connectionFixture } from '../support/connection-fixture.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'

t.test('has every attempt, the reason for each retry, and every wait', async (t) => {
  let asked = 0
  const origin = await service(t, (_, response) => {
    asked++
    if (asked === 1) return answerJson(response, 503, {})
    if (asked === 2) return answerJson(response, 429, { error: { code: '0x80072322' } }, { 'retry-after': '0' })
    answerJson(response, 200, {})
  })
  const { send } = connectionFixture(t, origin)
  const request = outbound()

  const answer = await send(request)
  answer.body.dump()

  const { record } = request
  t.match(record.allAttempts(), [
    { status: 503, sent: true, resentFor: 'busy', failure: undefined },
    { status: 429, sent: true, resentFor: 'limit-count' },
    { status: 200, sent: true, resentFor: undefined },
  ])
  t.ok(record.allAttempts().every(({ ms }) => ms! >= 0))
  t.match(record.waits, [{ reason: 'retry' }, { reason: 'pause' }])
  t.ok(record.sent)
})

t.test('reports whether a request was never sent', async (t) => {
  const { send } = connectionFixture(t, 'http://127.0.0.1:9')
  const request = outbound({ method: 'POST' })

  await t.rejects(send(request))

  const attempts = request.record.allAttempts()
  t.ok(attempts.length >= 2)
  t.match(attempts[0], {
    status: undefined,
    sent: false,
    resentFor: 'no-connection',
    failure: { code: 'ECONNREFUSED' },
  })
  t.equal(request.record.sent, false)
})

t.test('allocates nothing if nothing happens', async (t) => {
  const record = new RequestRecord('a', 0)

  t.same(record.allAttempts(), [])
  t.equal(record.waits, undefined)
  t.equal(record.parts, undefined)
  t.same(requestIds(record), { id: 'a' })
  t.equal(record.attemptTraceparent(), undefined)
})

t.test('the number of recorded attempts is limited', async (t) => {
  const record = new RequestRecord('a', 0)
  for (let attempt = 0; attempt < 1000; attempt++) {
    record.attemptStarted(attempt, 'GET')
    record.waited('pause', attempt, 1)
  }

  t.equal(record.attempts, 1000)
  t.equal(record.allAttempts().length, 51)
  t.equal(record.waits!.length, 50)
})

t.test('each attempt of a traced request has its own span', async (t) => {
  const trace = { traceId: TRACE, parentId: undefined, spanId: '00f067aa0ba902b7' }
  const sampled = new RequestRecord('a', 0, { ...trace, sampled: true })
  sampled.attemptStarted(0, 'GET')
  const first = sampled.attemptTraceparent()!
  sampled.attemptStarted(1, 'GET')
  const second = sampled.attemptTraceparent()!
  const dropped = new RequestRecord('b', 0, { ...trace, sampled: false })

  t.match(first, new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`))
  t.same(
    sampled.allAttempts().map(({ spanId }) => spanId),
    [first, second].map((text) => text.split('-')[2]),
  )
  t.not(first, second)
  t.equal(dropped.attemptTraceparent(), `00-${TRACE}-${trace.spanId}-00`)
})
