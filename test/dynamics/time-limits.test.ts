import t from 'tap'

import { Cancellation } from '../../src/dynamics/cancellation.ts'
import { TimeLimit, TimeLimits } from '../../src/dynamics/time-limits.ts'

t.test('limits keep their order, wherever one is removed', async (t) => {
  for (const removed of [0, 1, 2]) {
    const limits = new TimeLimits()
    const all = [1, 2, 3].map((end) => new TimeLimit(new Cancellation(), end))
    for (const limit of all) limits.add(limit)

    limits.remove(all[removed]!)
    limits.remove(all[removed]!)
    limits.add(new TimeLimit(new Cancellation(), 4))

    t.same(
      endsOf(limits),
      [1, 2, 3, 4].filter((end) => end !== removed + 1),
    )
    t.match(all[removed], { older: undefined, younger: undefined }, 'it keeps no other limit in memory')
  }
})

t.test('a list can become empty and be used again', async (t) => {
  const limits = new TimeLimits()
  for (const end of [1, 2]) {
    const limit = new TimeLimit(new Cancellation(), end)
    limits.add(limit)
    t.same(endsOf(limits), [end])
    limits.remove(limit)
    t.same(endsOf(limits), [])
  }
})

function endsOf({ oldest }: TimeLimits): number[] {
  const ends: number[] = []
  for (let limit = oldest; limit !== undefined; limit = limit.younger) ends.push(limit.end)
  return ends
}
