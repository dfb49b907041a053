import t from 'tap'

import { createActivity } from '../../src/observe/activity.ts'

const MINUTE = 60_000

t.test('counts requests of the last 15 minutes, and throttling of the last five', async (t) => {
  let time = 1000
  const activity = createActivity(() => time)
  const limit = { kind: 'limit', limit: 'count', wait: 0, waits: true, id: 'one' } as const
  for (const status of [200, 204, 304, 404, 429, 499, 500]) activity.requestDone({ status, code: undefined })
  activity.requestDone({ status: 504, code: 'GATEWAY_NOT_IN_MEMORY' })
  activity.watch(limit)

  t.same(activity.recent().traffic.at(-1), { ok: 3, refused: 3, failed: 2 })
  t.same([...activity.recent().limits], [['count', 1]])

  time += 6 * MINUTE
  activity.requestDone({ status: 200, code: undefined })
  t.equal(activity.recent().limits.size, 0)
  t.equal(
    activity.recent().traffic.reduce((sum, { ok }) => sum + ok, 0),
    4,
  )
  time += 10 * MINUTE
  t.equal(
    activity.recent().traffic.reduce((sum, { ok, refused, failed }) => sum + ok + refused + failed, 0),
    1,
  )
  time += 24 * 60 * MINUTE
  t.equal(activity.recent().traffic.length, 60)
  t.ok(activity.recent().traffic.every(({ ok }) => ok === 0))
})
