import t from 'tap'

import { compareTimes, createResponseTimes } from '../../../src/dynamics/concurrency/response-times.ts'
import type { ResponseTimes, CostClass } from '../../../src/dynamics/concurrency/response-times.ts'

function times(...added: readonly (readonly [CostClass, readonly number[]])[]): ResponseTimes {
  const answerTimes = createResponseTimes()
  for (const [costClass, all] of added) for (const ms of all) answerTimes.add(costClass, ms)
  return answerTimes
}

t.test('twice as slow is twice as slow, whatever the spread', async (t) => {
  const earlier = times(['read', [90, 100, 110, 95, 105]])
  const later = times(['read', [180, 200, 220, 190, 210]])

  const { logRatio, standardError } = compareTimes(earlier, later)!

  t.ok(Math.abs(logRatio - Math.log(2)) < 1e-9)
  t.ok(standardError > 0.02 && standardError < 0.1, 'with its standard error')
})

t.test('another mix of requests does not count as slower', async (t) => {
  const reads = [10, 11, 12, 10, 11]
  const batches = [1000, 1100, 1200]
  const earlier = times(['read', [...reads, ...reads, ...reads]], ['batch', batches])
  const later = times(['read', reads], ['batch', [...batches, ...batches]])

  t.ok(Math.abs(compareTimes(earlier, later)!.logRatio) < 0.02)
})

t.test('a class with too few measurements is ignored', async (t) => {
  const earlier = times(['read', [10, 10, 10]], ['write', [10, 10]])

  t.equal(compareTimes(earlier, times(['write', [99, 99, 99]])), undefined)
  t.equal(compareTimes(earlier, times(['read', [10, 10, 10]], ['write', [99, 99, 99]]))!.logRatio, 0)
})
