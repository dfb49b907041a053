import t from 'tap'

import { Cancellation } from '../../src/dynamics/cancellation.ts'
import { rateLimiter } from '../../src/users/rate-limit.ts'

t.test('lets no more pass in a second than it should, however many come at once', async (t) => {
  const turn = rateLimiter(20, 10_000)
  const began = performance.now()

  const passed = await Promise.all(
    Array.from({ length: 25 }, async () => {
      await turn(new Cancellation())
      return performance.now()
    }),
  )

  // From the first turn's own moment: what is noted of it comes later. Timers may be a millisecond early, never more.
  t.ok(passed[20]! - began >= 999)
})

t.test('refuses at once a request that would wait too long, and does not count it', async (t) => {
  const turn = rateLimiter(1, 1500)
  const came = Array.from({ length: 5 }, () =>
    turn(new Cancellation()).then(
      () => 'passed',
      ({ code }) => code as string,
    ),
  )

  t.same(await Promise.all(came), [
    'passed',
    'passed',
    ...Array.from({ length: 3 }, () => 'GATEWAY_USER_LOOKUP_TOO_SLOW'),
  ])
})

t.test('a cancelled request stops waiting at once, with the reason', async (t) => {
  const turn = rateLimiter(1, 10_000)
  await turn(new Cancellation())
  const cancellation = new Cancellation()

  const waiting = turn(cancellation)
  cancellation.cancel(new Error('gone'))

  await t.rejects(waiting, { message: 'gone' })
})
