import { PassThrough } from 'node:stream'

import t from 'tap'

import { chain } from '../../../src/dynamics/chain.ts'
import { createConcurrencyControl } from '../../../src/dynamics/concurrency/concurrency-control.ts'
import type { ConcurrencyControl } from '../../../src/dynamics/concurrency/concurrency-control.ts'
import { limitConcurrency } from '../../../src/dynamics/concurrency/limit.ts'
import type { DynamicsEvent } from '../../../src/dynamics/events.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../../../src/dynamics/send.ts'
import { outbound } from '../../support/connection-fixture.ts'

const ALL: UpstreamResponse['body'] = {
  complete: true,
  bufferedBytes: 0,
  peek: () => undefined,
  pipeTo: () => {},
  bytes: async () => Buffer.alloc(0),
  dump: () => {},
  onClose: (callback) => callback(),
}

/** A limiter for a service that responds after 100 ms on a simulated clock, with more requests than slots. */
function fixture({ status = 200 } = {}): {
  readonly control: ConcurrencyControl
  readonly events: DynamicsEvent[]
  readonly traffic: (request: () => OutboundRequest) => Promise<void>
} {
  let now = 0
  const events: DynamicsEvent[] = []
  const control = createConcurrencyControl(
    { ceiling: () => 20, queue: 100, onEvent: (event) => events.push(event), onChange() {} },
    () => now,
  )
  const waiting: (() => void)[] = []
  const service: Send = async () => {
    await new Promise<void>((resolve) => waiting.push(resolve))
    return { status, headers: [], body: ALL }
  }
  const send = chain([(next) => limitConcurrency(next, control.semaphore), control.measure], service)
  return {
    control,
    events,
    async traffic(request) {
      for (let index = 0; index < 40; index++) {
        const answers = Array.from({ length: 4 * control.semaphore.state().limit }, () => send(request()))
        while (waiting.length > 0) {
          now += 100
          for (const answer of waiting.splice(0)) answer()
          await new Promise(setImmediate)
        }
        await Promise.all(answers)
      }
    },
  }
}

t.test('reads, writes and batches are measured only while all slots are occupied', async (t) => {
  for (const request of [
    () => outbound(),
    () => outbound({ method: 'PATCH' }),
    () => outbound({ method: 'POST', path: '/api/data/v9.2/$batch', body: Buffer.from('x') }),
  ]) {
    const { control, traffic, events } = fixture()
    control.applyHint(4)
    await traffic(request)
    t.equal(control.state().limit, 20)
    t.match(events.at(-1), { kind: 'concurrency', limit: 20, reason: 'higher-is-better' })
  }
})

t.test('errors, retries and streamed bodies are not measured', async (t) => {
  const retried = (): OutboundRequest => {
    const request = outbound()
    request.record.attemptStarted(0, 'GET')
    request.record.attemptStarted(0, 'GET')
    return request
  }
  for (const [options, request] of [
    [{ status: 404 }, () => outbound()],
    [{}, retried],
    [{}, () => outbound({ method: 'POST', body: new PassThrough() })],
  ] as const) {
    const { control, traffic } = fixture(options)
    control.applyHint(4)
    await traffic(request)
    t.match(control.state(), { limit: 4, limitReason: 'hint' })
  }
})

t.test('a later hint changes the share of each caller, not the limit', async (t) => {
  const { control } = fixture()
  control.applyHint(4)
  control.applyHint(0.5)
  t.match(control.state(), { limit: 4, share: 1 })
  control.applyHint(48)
  t.match(control.state(), { limit: 4, share: 48 })
})

t.test('a refusal lowers the limit to what Dynamics accepted', async (t) => {
  const { control, events } = fixture()
  for (let taken = 0; taken < 6; taken++) control.semaphore.acquire(outbound())
  control.semaphore.release(outbound())
  control.parallelismRefused()
  t.match(events, [{ kind: 'concurrency', limit: 5, reason: 'refused' }])
})
