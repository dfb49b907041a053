import t from 'tap'

import { followClock, unixNanoseconds } from '../../../src/observe/tracing/unix-time.ts'

t.test('times follow the system clock, also after it is set', async (t) => {
  const { now } = Date
  t.teardown(() => {
    Date.now = now
    followClock()
  })
  followClock()
  const before = unixNanoseconds(performance.now())
  t.ok(Math.abs(before / 1e6 - now()) < 1000)

  Date.now = () => now() + 3_600_000
  followClock()
  t.ok(Math.abs(unixNanoseconds(performance.now()) - before - 3600e9) < 1e9)
  t.ok(Math.abs(unixNanoseconds(1500.5) - unixNanoseconds(0) - 1_500_500_000) < 1000)
})

t.test('a clock that was never set makes whole numbers, never below 0', async (t) => {
  const { now } = Date
  t.teardown(() => {
    Date.now = now
    followClock()
  })
  Date.now = () => 1000 + performance.now()
  followClock()
  t.ok(Number.isInteger(unixNanoseconds(1.234_567_8)))
  t.equal(unixNanoseconds(-5000), 0)
})
