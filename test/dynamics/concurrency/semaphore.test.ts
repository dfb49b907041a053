import t from 'tap'

import { Cancellation } from '../../../src/dynamics/cancellation.ts'
import { createSemaphore } from '../../../src/dynamics/concurrency/semaphore.ts'
import type { Semaphore } from '../../../src/dynamics/concurrency/semaphore.ts'
import { RequestRecord } from '../../../src/dynamics/request-record.ts'

t.setTimeout(600_000)

const record = new RequestRecord('test', 0)

/** Takes places for the keys, one after the other; `order` are those who got one. */
function takers(semaphore: Semaphore): { take: (...keys: string[]) => Promise<unknown>[]; order: string[] } {
  const order: string[] = []
  return {
    order,
    take: (...keys) =>
      keys.map((key) => {
        const turn = semaphore.acquire({ fairnessKey: key, cancellation: new Cancellation(), record })
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
  const semaphore = createSemaphore({ most: 2, queue: 10, onEvent() {} })

  t.equal(semaphore.acquire({ fairnessKey: 'a', cancellation: new Cancellation(), record }), undefined)
  t.same(semaphore.state(), { running: 1, waiting: 0, limit: 2 })
  semaphore.release()
  t.same(semaphore.state(), { running: 0, waiting: 0, limit: 2 })
})

t.test('places go around among the keys', async (t) => {
  const semaphore = createSemaphore({ most: 1, queue: 100, onEvent() {} })
  const { take, order } = takers(semaphore)
  take('noisy', 'noisy', 'noisy', 'noisy', 'quiet', 'noisy', 'other')

  for (let left = 6; left > 0; left--) {
    semaphore.release()
    await settle()
  }

  t.same(order, ['noisy', 'noisy', 'quiet', 'other', 'noisy', 'noisy', 'noisy'])
})

t.test('a full queue turns away, and the busiest first', async (t) => {
  const events: unknown[] = []
  const semaphore = createSemaphore({ most: 1, queue: 3, onEvent: (event) => events.push(event) })
  const { take, order } = takers(semaphore)
  const waiting = take('noisy', 'noisy', 'noisy', 'noisy')
  const full = { code: 'GATEWAY_QUEUE_FULL', statusCode: 429, retryAfter: 1 }

  t.throws(() => take('noisy'), full)
  take('quiet')
  await t.rejects(waiting[3]!, full, 'the newest of the busiest makes room')
  t.throws(() => take('noisy'), full)
  t.throws(() => take('quiet'), full, 'who has as many waiting has no better right')
  for (let left = 3; left > 0; left--) {
    semaphore.release()
    await settle()
  }

  t.same(order, ['noisy', 'noisy', 'quiet', 'noisy'])
  t.same(
    events,
    Array.from({ length: 4 }, () => ({ kind: 'queue-full', id: 'test' })),
  )
})

t.test('without a queue nobody waits', async (t) => {
  const semaphore = createSemaphore({ most: 1, queue: 0, onEvent() {} })
  semaphore.acquire({ fairnessKey: 'a', cancellation: new Cancellation(), record })

  t.throws(() => semaphore.acquire({ fairnessKey: 'b', cancellation: new Cancellation(), record }), {
    code: 'GATEWAY_QUEUE_FULL',
  })
})

t.test('who leaves is taken out of the queue', async (t) => {
  const semaphore = createSemaphore({ most: 1, queue: 10, onEvent() {} })
  const { take, order } = takers(semaphore)
  take('a')
  const cancellation = new Cancellation()
  const left = semaphore.acquire({ fairnessKey: 'b', cancellation, record })!
  take('c')

  cancellation.cancel(new Error('left'))

  await t.rejects(left, { message: 'left' })
  t.match(semaphore.state(), { running: 1, waiting: 1 })
  semaphore.release()
  await settle()
  t.same(order, ['a', 'c'])
  t.throws(
    () => semaphore.acquire({ fairnessKey: 'b', cancellation, record }),
    { message: 'left' },
    'and who has left does not queue',
  )
})

t.test('as many as Dynamics took together may be there from now on; then they become slowly more', async (t) => {
  let now = 0
  const events: unknown[] = []
  const semaphore = createSemaphore({ most: 52, queue: 10, onEvent: (event) => events.push(event) }, () => now)
  const { take } = takers(semaphore)
  take(...Array.from({ length: 6 }, () => 'a'))

  for (let refusal = 0; refusal < 4; refusal++) {
    semaphore.release()
    semaphore.lower()
  }
  t.equal(semaphore.state().limit, 2, 'four of six were too many')
  const limits = [1999, 1, 1999, 1, 6000, 24_000, 6000, 1999, 1].map((milliseconds) => {
    now += milliseconds
    take('a')
    return semaphore.state().limit
  })

  t.same(limits, [2, 3, 3, 4, 5, 5, 6, 6, 6], 'where it was too many before, seldom')
  t.match(events[0], { kind: 'concurrency', limit: 2 })
})

t.test('one is let in at least, and another sign is taken anew', async (t) => {
  let now = 0
  const semaphore = createSemaphore({ most: 52, queue: 10, onEvent() {} }, () => now)
  const { take } = takers(semaphore)
  for (let round = 0; round < 3; round++, now += 1001) {
    take('a')
    semaphore.release()
    semaphore.lower()
  }
  t.equal(semaphore.state().limit, 1)
})

t.test('follows what Dynamics suggests, not beyond the setting', async (t) => {
  const semaphore = createSemaphore({ most: 20, queue: 10, onEvent() {} })
  const limits = [48, 4, 4, 8, 0.5].map((parallel) => {
    semaphore.suggest(parallel)
    return semaphore.state().limit
  })
  t.same(limits, [20, 4, 4, 8, 1])

  semaphore.suggest(20)
  takers(semaphore).take(...Array.from({ length: 20 }, () => 'a'))
  semaphore.release()
  semaphore.lower()
  semaphore.suggest(15)
  t.equal(semaphore.state().limit, 15)
  semaphore.suggest(20)
  t.equal(semaphore.state().limit, 19, 'a suggestion does not undo a sign of too many')
})

t.test('more places let those in who wait', async (t) => {
  const semaphore = createSemaphore({ most: 3, queue: 10, onEvent() {} })
  const { take, order } = takers(semaphore)
  semaphore.suggest(1)
  take('a', 'b', 'c', 'd')
  t.same(order, ['a'])

  semaphore.suggest(3)
  await settle()

  t.same(order, ['a', 'b', 'c'])
})
