import t from 'tap'

import { createAdaptiveLimit } from '../../../src/dynamics/concurrency/adaptive-limit.ts'

t.test('falls below what was refused, and rises one step in two seconds', async (t) => {
  let now = 0
  const limit = createAdaptiveLimit(10, () => now)
  limit.lower(8)
  limit.lower(8)
  t.equal(limit.current(), 6, 'six of eight were not refused')

  now = 1999
  limit.raise()
  t.equal(limit.current(), 6)
  now = 2000
  limit.raise()

  t.equal(limit.current(), 7)
})

t.test('tries a number that was refused before only after thirty seconds', async (t) => {
  let now = 0
  const limit = createAdaptiveLimit(10, () => now)
  limit.lower(8)
  t.equal(limit.current(), 7)

  now = 29_999
  limit.raise()
  t.equal(limit.current(), 7)
  now = 30_000
  limit.raise()

  t.equal(limit.current(), 8)
})

t.test('follows a suggestion, between one and the most that is configured', async (t) => {
  const limit = createAdaptiveLimit(10, () => 0)

  t.equal(limit.suggest(4.9), true)
  t.equal(limit.current(), 4)
  t.equal(limit.suggest(4), false)
  limit.suggest(0)
  t.equal(limit.current(), 1)
  limit.suggest(50)
  t.equal(limit.current(), 10)
})
