import t from 'tap'

import { Cancellation } from '../../../src/dynamics/cancellation.ts'
import { createSemaphore } from '../../../src/dynamics/concurrency/semaphore.ts'
import type { SlotRequest, Semaphore, SemaphoreOptions } from '../../../src/dynamics/concurrency/semaphore.ts'
import { RequestRecord } from '../../../src/dynamics/request-record.ts'
import type { Priority } from '../../../src/dynamics/request-record.ts'

t.setTimeout(600_000)

const record = new RequestRecord('test', 0)

/** A limit with `slots`, of which each key may have `share` while others wait. */
function slots(limit: number, share = Infinity): Pick<SemaphoreOptions, 'limit' | 'share'> {
  return { limit: () => limit, share: () => share }
}

function slotRequest(fairnessKey: string, priority?: Priority): SlotRequest {
  return { fairnessKey, cancellation: new Cancellation(), record, ...(priority && { priority }) }
}

/**
 * Acquires slots for the keys, one after the other. `order` lists the keys that got one. `bulk…` is background work.
 */
function takers(semaphore: Semaphore): { take: (...keys: string[]) => Promise<unknown>[]; order: string[] } {
  const order: string[] = []
  return {
    order,
    take: (...keys) =>
      keys.map((key) => {
        const turn = semaphore.acquire(slotRequest(key, key.startsWith('bulk') ? 'background' : undefined))
        if (turn === undefined) order.push(key)
        return turn?.then(() => order.push(key)) ?? Promise.resolve()
      }),
  }
}

/** Lets the requests that got a slot continue. */
async function settle(): Promise<void> {
  await new Promise(setImmediate)
}

t.test('a free slot is acquired at once', async (t) => {
  const semaphore = createSemaphore({ ...slots(2), queue: 10, onEvent() {} })

  t.equal(semaphore.acquire(slotRequest('a')), undefined)
  t.same(semaphore.state(), { running: 1, waiting: 0, waitingInBackground: 0, limit: 2 })
  semaphore.release(slotRequest('a'))
  t.same(semaphore.state(), { running: 0, waiting: 0, waitingInBackground: 0, limit: 2 })
})

t.test('keys take turns at free slots', async (t) => {
  const semaphore = createSemaphore({ ...slots(1), queue: 100, onEvent() {} })
  const { take, order } = takers(semaphore)
  take('noisy', 'noisy', 'noisy', 'noisy', 'quiet', 'noisy', 'other')

  for (let left = 6; left > 0; left--) {
    semaphore.release(slotRequest(order.at(-1)!))
    await settle()
  }

  t.same(order, ['noisy', 'noisy', 'quiet', 'other', 'noisy', 'noisy', 'noisy'])
})

t.test('a full queue refuses requests of the busiest key first', async (t) => {
  const events: unknown[] = []
  const semaphore = createSemaphore({ ...slots(1), queue: 3, onEvent: (event) => events.push(event) })
  const { take, order } = takers(semaphore)
  const waiting = take('noisy', 'noisy', 'noisy', 'noisy')
  const full = { code: 'GATEWAY_QUEUE_FULL', statusCode: 429, retryAfter: 1 }

  t.throws(() => take('noisy'), full)
  take('quiet')
  await t.rejects(waiting[3]!, full, 'the newest request of the busiest key makes room')
  t.throws(() => take('noisy'), full)
  t.throws(() => take('quiet'), full, 'a key with equally many waiting requests does not evict')
  for (let left = 3; left > 0; left--) {
    semaphore.release(slotRequest(order.at(-1)!))
    await settle()
  }

  t.same(order, ['noisy', 'noisy', 'quiet', 'noisy'])
  t.same(
    events,
    Array.from({ length: 4 }, () => ({ kind: 'queue-full', id: 'test' })),
  )
})

t.test('without a queue, requests are refused at once', async (t) => {
  const semaphore = createSemaphore({ ...slots(1), queue: 0, onEvent() {} })
  semaphore.acquire(slotRequest('a'))

  t.throws(() => semaphore.acquire(slotRequest('b')), {
    code: 'GATEWAY_QUEUE_FULL',
  })
})

t.test('a cancelled request leaves the queue', async (t) => {
  const semaphore = createSemaphore({ ...slots(1), queue: 10, onEvent() {} })
  const { take, order } = takers(semaphore)
  take('a')
  const cancellation = new Cancellation()
  const left = semaphore.acquire({ fairnessKey: 'b', cancellation, record })!
  take('c')

  cancellation.cancel(new Error('left'))

  await t.rejects(left, { message: 'left' })
  t.match(semaphore.state(), { running: 1, waiting: 1 })
  semaphore.release(slotRequest('a'))
  await settle()
  t.same(order, ['a', 'c'])
  t.throws(
    () => semaphore.acquire({ fairnessKey: 'b', cancellation, record }),
    { message: 'left' },
    'a cancelled request does not queue',
  )
})

t.test('a key at its full share lets others go first, and alone it gets all slots', async (t) => {
  const semaphore = createSemaphore({ ...slots(4, 2), queue: 100, onEvent() {} })
  const { take, order } = takers(semaphore)
  take(...Array.from({ length: 8 }, () => 'alone'))
  t.equal(order.length, 4, 'all slots')

  take('other', 'other', 'other')
  for (let left = 4; left > 0; left--) {
    semaphore.release(slotRequest('alone'))
    await settle()
  }

  t.same(order.slice(4), ['other', 'other', 'alone', 'alone'], 'two for each')
})

t.test('a key keeps its count of slots, no matter how many other keys come and go', async (t) => {
  const semaphore = createSemaphore({ ...slots(4, 2), queue: 100, onEvent() {} })
  const { take, order } = takers(semaphore)
  take('busy', 'busy')
  for (let key = 0; key < 5000; key++) {
    take(`key ${key}`)
    semaphore.release(slotRequest(`key ${key}`))
  }
  take('other', 'third')
  take('busy', 'other')

  semaphore.release(slotRequest('third'))
  await settle()

  t.equal(order.at(-1), 'other', 'the busy key has its full share')
})

t.test('background requests wait behind interactive ones', async (t) => {
  const semaphore = createSemaphore({ ...slots(3), queue: 100, onEvent() {} })
  const { take, order } = takers(semaphore)
  take(...Array.from({ length: 10 }, () => 'bulk'))
  t.equal(order.length, 3)

  take('ada')
  semaphore.release(slotRequest('bulk', 'background'))
  await settle()

  t.equal(order.at(-1), 'ada', 'after one answer')
})

t.test('background work never starves, even with one slot', async (t) => {
  for (const limit of [1, 20]) {
    const semaphore = createSemaphore({ ...slots(limit), queue: 1000, onEvent() {} })
    const { take, order } = takers(semaphore)
    take(...Array.from({ length: limit + 100 }, () => 'ada'), ...Array.from({ length: 20 }, () => 'bulk'))

    for (let answers = 0; answers < 100; answers++) {
      const key = order[answers]!
      semaphore.release(slotRequest(key, key === 'bulk' ? 'background' : undefined))
      await settle()
    }

    const bulk = order.flatMap((key, index) => (key === 'bulk' ? [index - limit] : []))
    t.equal(bulk.length, 10, 'one in ten')
    t.equal(bulk[0], 9)
  }
})

t.test('a full queue evicts background requests for interactive ones, except for one tenth', async (t) => {
  const semaphore = createSemaphore({ ...slots(1), queue: 10, onEvent() {} })
  const { take } = takers(semaphore)
  const bulk = take(...Array.from({ length: 11 }, () => 'bulk')).slice(1)
  const full = { code: 'GATEWAY_QUEUE_FULL' }
  t.throws(() => take('bulk'), full)

  const turnedAway = Promise.all(bulk.slice(1).map((one) => t.rejects(one, full)))
  const ada = take(...Array.from({ length: 9 }, () => 'ada'))

  await turnedAway
  t.throws(() => take('ada'), full, 'one of ten is kept')
  take('grace')
  await t.rejects(ada[8]!, full, 'the busiest key makes room')
  t.equal(semaphore.state().waiting, 10)
})

t.test('a higher limit admits waiting requests', async (t) => {
  let limit = 1
  const semaphore = createSemaphore({ ...slots(1), limit: () => limit, queue: 10, onEvent() {} })
  const { take, order } = takers(semaphore)
  take('a', 'b', 'c', 'd')
  t.same(order, ['a'])
  t.ok(semaphore.isFull())

  limit = 3
  semaphore.admitWaiters()
  await settle()

  t.same(order, ['a', 'b', 'c'])
})
