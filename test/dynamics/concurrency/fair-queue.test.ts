import t from 'tap'

import { createFairQueue } from '../../../src/dynamics/concurrency/fair-queue.ts'

const none = (): boolean => false

t.test('keys take turns, and within a key the order is first in, first out', async (t) => {
  const queue = createFairQueue<string>()
  for (const entry of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) queue.push(entry[0]!, entry)

  const order = Array.from({ length: 7 }, () => queue.shift(none))

  t.same(order, ['a1', 'b1', 'c1', 'a2', 'b2', 'a3', undefined])
  t.equal(queue.size(), 0)
})

t.test('the newest entry of the longest queue is evicted if that is fairer', async (t) => {
  const queue = createFairQueue<string>()
  t.equal(queue.displacedBy('b'), undefined)
  queue.push('a', 'a1')
  t.equal(queue.displacedBy('b'), undefined)
  queue.push('a', 'a2')

  t.equal(queue.displacedBy('b'), 'a2')
  t.equal(queue.displacedBy('a'), undefined)
})

t.test('an entry that was removed is not served, and removing it again changes nothing', async (t) => {
  const queue = createFairQueue<string>()
  queue.push('a', 'a1')
  queue.push('a', 'a2')

  queue.remove('a', 'a1')
  queue.remove('a', 'a1')
  queue.remove('b', 'a2')

  t.equal(queue.size(), 1)
  t.equal(queue.shift(none), 'a2')
  queue.remove('a', 'a2')
  t.equal(queue.size(), 0)
})

t.test('keys at their full share let others go first, but no slot stays free', async (t) => {
  const queue = createFairQueue<string>()
  for (const entry of ['a1', 'a2', 'b1', 'c1']) queue.push(entry[0]!, entry)
  const served = new Set(['a', 'c'])

  const order = Array.from({ length: 4 }, () => queue.shift((key) => served.has(key)))

  t.same(order, ['b1', 'a1', 'c1', 'a2'])
})
