import { PassThrough } from 'node:stream'

import t from 'tap'

import { limitConcurrency } from '../../../src/dynamics/concurrency/limit.ts'
import { createPlaces } from '../../../src/dynamics/concurrency/places.ts'
import type { Places } from '../../../src/dynamics/concurrency/places.ts'
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

/** Places before a service that answers after 100 ms on a clock of its own, with more requests than places. */
function fixture({ status = 200 } = {}): {
  readonly places: Places
  readonly events: DynamicsEvent[]
  readonly traffic: (request: () => OutboundRequest) => Promise<void>
} {
  let now = 0
  const events: DynamicsEvent[] = []
  const places = createPlaces(
    { ceiling: () => 20, queue: 100, onEvent: (event) => events.push(event), changed() {} },
    () => now,
  )
  const waiting: (() => void)[] = []
  const service: Send = async () => {
    await new Promise<void>((resolve) => waiting.push(resolve))
    return { status, headers: [], body: ALL }
  }
  const send = limitConcurrency(places.measure(service), places.semaphore)
  return {
    places,
    events,
    async traffic(request) {
      for (let index = 0; index < 40; index++) {
        const answers = Array.from({ length: 4 * places.semaphore.state().limit }, () => send(request()))
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

t.test('reads, writes and batches are measured while all places are taken', async (t) => {
  for (const request of [
    () => outbound(),
    () => outbound({ method: 'PATCH' }),
    () => outbound({ method: 'POST', path: '/api/data/v9.2/$batch', body: Buffer.from('x') }),
  ]) {
    const { places, traffic, events } = fixture()
    places.suggest(4)
    await traffic(request)
    t.equal(places.state().limit, 20)
    t.match(events.at(-1), { kind: 'concurrency', limit: 20, reason: 'higher-is-better' })
  }
})

t.test('errors, retries and bodies that flow are not', async (t) => {
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
    const { places, traffic } = fixture(options)
    places.suggest(4)
    await traffic(request)
    t.match(places.state(), { limit: 4, limitReason: 'hint' })
  }
})

t.test('a later hint changes what each gets, and not the limit', async (t) => {
  const { places } = fixture()
  places.suggest(4)
  places.suggest(0.5)
  t.match(places.state(), { limit: 4, share: 1 })
  places.suggest(48)
  t.match(places.state(), { limit: 4, share: 48 })
})

t.test('a refusal lowers the limit to what was taken', async (t) => {
  const { places, events } = fixture()
  for (let taken = 0; taken < 6; taken++) places.semaphore.acquire(outbound())
  places.semaphore.release(outbound())
  places.refused()
  t.match(events, [{ kind: 'concurrency', limit: 5, reason: 'refused' }])
})
