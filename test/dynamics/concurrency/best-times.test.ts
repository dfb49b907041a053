import t from 'tap'

import { createBestTimes } from '../../../src/dynamics/concurrency/best-times.ts'
import { createResponseTimes } from '../../../src/dynamics/concurrency/response-times.ts'
import type { ResponseTimes, CostClass } from '../../../src/dynamics/concurrency/response-times.ts'

function times(costClass: CostClass, ms: number): ResponseTimes {
  const answerTimes = createResponseTimes()
  for (let index = 0; index < 10; index++) answerTimes.add(costClass, ms)
  return answerTimes
}

t.test('slowness is relative to the best times of the last minute', async (t) => {
  let now = 0
  const best = createBestTimes(() => now)
  t.equal(best.slowness(times('read', 100)), 1, 'nothing is known')

  best.add(times('read', 100), 10)
  best.add(times('read', 50), 10)
  best.add(times('read', 80), 10)
  best.add(times('write', 10), 10)
  t.equal(best.slowness(times('read', 100)).toFixed(3), '2.000')
  t.equal(best.slowness(times('read', 40)), 1)
  t.equal(best.slowness(times('batch', 1000)), 1, 'never seen before')

  now = 60_000
  best.add(times('read', 200), 10)
  t.equal(best.slowness(times('read', 200)), 1)
})

t.test('remembers the lowest limit for a minute', async (t) => {
  let now = 0
  const best = createBestTimes(() => now)
  best.add(times('read', 100), 7)
  best.add(times('read', 100), 10)
  t.ok(best.isKnownBelow(10))
  t.notOk(best.isKnownBelow(9))

  best.replace(times('read', 100), 9)
  t.notOk(best.isKnownBelow(10))
  t.ok(best.isKnownBelow(20))
  now = 60_000
  t.notOk(best.isKnownBelow(20))
})
