import t from 'tap'

import { createDeparture } from '../../../src/dynamics/cancellation.ts'
import { createPlaces } from '../../../src/dynamics/concurrency/fair-queue.ts'
import type { Places } from '../../../src/dynamics/concurrency/fair-queue.ts'

t.setTimeout(120_000)

/** Takes places for the keys, one after the other; `order` are those who got one. */
function takers(places: Places): { take: (...keys: string[]) => Promise<unknown>[], order: string[] } {
  const order: string[] = []
  return {
    order,
    take: (...keys) => keys.map((key) => {
      const turn = places.take({ fairnessKey: key, departure: createDeparture() })
      if (turn === undefined) order.push(key)
      return turn?.then(() => order.push(key)) ?? Promise.resolve()
    }),
  }
}

/** Lets those who got a place go on. */
async function settle(): Promise<void> {
  await new Promise(setImmediate)
}

t.test('a free place is taken at once', async (t) => {
  const places = createPlaces({ most: 2, queue: 10, watch() {} })

  t.equal(places.take({ fairnessKey: 'a', departure: createDeparture() }), undefined)
  t.same(places.state(), { running: 1, waiting: 0, limit: 2 })
  places.giveBack()
  t.same(places.state(), { running: 0, waiting: 0, limit: 2 })
})

t.test('places go around among the keys', async (t) => {
  const places = createPlaces({ most: 1, queue: 100, watch() {} })
  const { take, order } = takers(places)
  take('noisy', 'noisy', 'noisy', 'noisy', 'quiet', 'noisy', 'other')

  for (let left = 6; left > 0; left--) {
    places.giveBack()
    await settle()
  }

  t.same(order, ['noisy', 'noisy', 'quiet', 'other', 'noisy', 'noisy', 'noisy'])
})

t.test('a full queue turns away, and the busiest first', async (t) => {
  const events: unknown[] = []
  const places = createPlaces({ most: 1, queue: 3, watch: (event) => events.push(event) })
  const { take, order } = takers(places)
  const waiting = take('noisy', 'noisy', 'noisy', 'noisy')
  const full = { code: 'GATEWAY_QUEUE_FULL', statusCode: 429, retryAfter: 1 }

  t.throws(() => take('noisy'), full)
  take('quiet')
  await t.rejects(waiting[3]!, full, 'the newest of the busiest makes room')
  t.throws(() => take('noisy'), full)
  t.throws(() => take('quiet'), full, 'who has as many waiting has no better right')
  for (let left = 3; left > 0; left--) {
    places.giveBack()
    await settle()
  }

  t.same(order, ['noisy', 'noisy', 'quiet', 'noisy'])
  t.equal(events.length, 4)
})

t.test('without a queue nobody waits', async (t) => {
  const places = createPlaces({ most: 1, queue: 0, watch() {} })
  places.take({ fairnessKey: 'a', departure: createDeparture() })

  t.throws(() => places.take({ fairnessKey: 'b', departure: createDeparture() }), { code: 'GATEWAY_QUEUE_FULL' })
})

t.test('who leaves is taken out of the queue', async (t) => {
  const places = createPlaces({ most: 1, queue: 10, watch() {} })
  const { take, order } = takers(places)
  take('a')
  const departure = createDeparture()
  const left = places.take({ fairnessKey: 'b', departure })!
  take('c')

  departure.leave(new Error('left'))

  await t.rejects(left, { message: 'left' })
  t.match(places.state(), { running: 1, waiting: 1 })
  places.giveBack()
  await settle()
  t.same(order, ['a', 'c'])
  t.throws(() => places.take({ fairnessKey: 'b', departure }), { message: 'left' }, 'and who has left does not queue')
})

t.test('as many as Dynamics took together may be there from now on; then they become slowly more', async (t) => {
  let now = 0
  const events: unknown[] = []
  const places = createPlaces({ most: 52, queue: 10, watch: (event) => events.push(event) }, () => now)
  const { take } = takers(places)
  take(...Array.from({ length: 6 }, () => 'a'))

  for (let refusal = 0; refusal < 4; refusal++) {
    places.giveBack()
    places.lower()
  }
  t.equal(places.state().limit, 2, 'four of six were too many')
  const limits = [1999, 1, 1999, 1, 6000, 24_000, 6000, 1999, 1].map((milliseconds) => {
    now += milliseconds
    take('a')
    return places.state().limit
  })

  t.same(limits, [2, 3, 3, 4, 5, 5, 6, 6, 6], 'where it was too many before, seldom')
  t.match(events[0], { kind: 'concurrency', limit: 2 })
})

t.test('one is let in at least, and another sign is taken anew', async (t) => {
  let now = 0
  const places = createPlaces({ most: 52, queue: 10, watch() {} }, () => now)
  const { take } = takers(places)
  for (let round = 0; round < 3; round++, now += 1001) {
    take('a')
    places.giveBack()
    places.lower()
  }
  t.equal(places.state().limit, 1)
})

t.test('follows what Dynamics suggests, not beyond the setting', async (t) => {
  const places = createPlaces({ most: 20, queue: 10, watch() {} })
  const limits = [48, 4, 4, 8, 0.5].map((parallel) => {
    places.suggest(parallel)
    return places.state().limit
  })
  t.same(limits, [20, 4, 4, 8, 1])

  places.suggest(20)
  takers(places).take(...Array.from({ length: 20 }, () => 'a'))
  places.giveBack()
  places.lower()
  places.suggest(15)
  t.equal(places.state().limit, 15)
  places.suggest(20)
  t.equal(places.state().limit, 19, 'a suggestion does not undo a sign of too many')
})

t.test('more places let those in who wait', async (t) => {
  const places = createPlaces({ most: 3, queue: 10, watch() {} })
  const { take, order } = takers(places)
  places.suggest(1)
  take('a', 'b', 'c', 'd')
  t.same(order, ['a'])

  places.suggest(3)
  await settle()

  t.same(order, ['a', 'b', 'c'])
})
