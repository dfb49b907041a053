import t from 'tap'

import { Cancellation } from '../../src/dynamics/cancellation.ts'
import { rateLimiter } from '../../src/users/rate-limit.ts'

t.test('allows no more than its rate, however many arrive at once', async (t) => {
  const turn = rateLimiter(20, 10_000)
  const began = performance.now()

  const passed = await Promise.all(
    Array.from({ length: 25 }, async () => {
      await turn(new Cancellation())
      return performance.now()
    }),
  )

  // Measured from the first turn itself, which is recorded later. Timers may be up to a millisecond early.
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
