import t from 'tap'

import { judge, watchOverload } from '../../src/observe/overload.ts'

/** What is thought after each of `delays`. */
function thought(delays: number[]): boolean[] {
  let pressure = { overloaded: false, against: 0 }
  return delays.map((delay) => (pressure = judge(pressure, delay)).overloaded)
}

t.setTimeout(120_000)

t.test('takes two late looks to turn away, and two in time to stop', async (t) => {
  t.same(thought([0, 300, 0, 300, 300, 300]), [false, false, false, false, true, true], 'one may be a pause')
  t.same(thought([300, 300, 150, 79, 81, 79, 79]), [false, true, true, true, true, true, false], 'the bounds lie apart')
})

t.test('sees an event loop that is late, and one that has caught up', async (t) => {
  const overload = watchOverload()
  t.teardown(overload.close)
  t.equal(overload.overloaded(), false)

  const block = (): void => {
    const until = performance.now() + 400
    while (performance.now() < until);
  }
  const busy = setInterval(block, 1)
  const began = performance.now()
  while (!overload.overloaded() && performance.now() - began < 40_000) await new Promise((resolve) => {
    setTimeout(resolve, 50)
  })
  clearInterval(busy)
  t.equal(overload.overloaded(), true)
  t.ok(overload.delay() > 200)

  while (overload.overloaded() && performance.now() - began < 100_000) await new Promise((resolve) => {
    setTimeout(resolve, 50)
  })
  t.equal(overload.overloaded(), false)
})
