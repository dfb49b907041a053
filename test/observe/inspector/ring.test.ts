import t from 'tap'

import { createRing } from '../../../src/observe/inspector/ring.ts'

t.test('keeps the last entries by number', async (t) => {
  const ring = createRing<string>(3, 1000)
  for (const entry of ['a', 'b', 'c', 'd']) ring.push(entry, 10)

  t.same(
    ring.after(0).map(({ number, entry }) => `${number} ${entry}`),
    ['2 b', '3 c', '4 d'],
  )
  t.same(
    ring.after(3).map(({ entry }) => entry),
    ['d'],
  )
  t.equal(ring.get(2), 'b')
  t.equal(ring.get(1), undefined)
  t.equal(ring.bytes(), 30)
})

t.test('never exceeds its limit in bytes, whatever is pushed or reserved', async (t) => {
  const ring = createRing<number>(200, 1000)
  for (let turn = 0; turn < 1000; turn += 1) {
    const bytes = (turn * 7919) % 1300
    if (turn % 3 === 0 && ring.reserve(bytes % 400)) {
      t.ok(ring.bytes() <= 1000)
      ring.release(bytes % 400)
    }
    ring.push(turn, bytes)
    if (ring.bytes() > 1000) t.fail(`${ring.bytes()} bytes`)
  }
  ring.clear()
  t.equal(ring.bytes(), 0)
  t.equal(ring.reserve(1001), false)
  t.equal(ring.push(1, 1001), 1001, 'an entry that is too large gets a number, and is not kept')
  t.same(ring.after(0), [])
})

t.test('entries are replaced in place, and the oldest are evicted when an entry grows', async (t) => {
  const ring = createRing<string>(10, 100)
  for (const entry of ['a', 'b', 'c']) ring.push(entry, 20)
  ring.reserve(30)
  ring.replace((entry) => (entry === 'a' ? undefined : { entry: entry.toUpperCase(), bytes: 10 }))
  t.same(ring.after(0), [
    { number: 1, entry: 'a', bytes: 20 },
    { number: 2, entry: 'B', bytes: 10 },
    { number: 3, entry: 'C', bytes: 10 },
  ])
  t.equal(ring.bytes(), 70)
  ring.replace((entry) => (entry === 'C' ? { entry, bytes: 50 } : undefined))
  t.same(
    ring.after(0).map(({ entry }) => entry),
    ['B', 'C'],
  )
  ring.release(30)
  t.equal(ring.bytes(), 60)
})
