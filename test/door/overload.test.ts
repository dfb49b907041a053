import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'

import t from 'tap'

import { nextPressure, watchOverload } from '../../src/door/overload.ts'
import type { Sample } from '../../src/door/overload.ts'

/** What is thought after each of `looks`; one that is only a delay is that of a busy event loop. */
function thought(looks: (number | Sample)[]): boolean[] {
  let pressure = { overloaded: false, against: 0 }
  return looks.map((look) => {
    pressure = nextPressure(pressure, typeof look === 'number' ? { delay: look, utilization: 1 } : look)
    return pressure.overloaded
  })
}

t.setTimeout(600_000)

t.test('takes two late looks to turn away, and two in time to stop', async (t) => {
  t.same(thought([0, 300, 0, 300, 300, 300]), [false, false, false, false, true, true], 'one may be a pause')
  t.same(thought([300, 300, 150, 79, 81, 79, 79]), [false, true, true, true, true, true, false], 'the bounds lie apart')
})

t.test('a late event loop that has little to do is not overloaded: the machine is', async (t) => {
  const idle = { delay: 400, utilization: 0.5 }
  t.same(thought([idle, idle, idle]), [false, false, false])
  t.same(thought([300, idle, 300, 300]), [false, false, false, true], 'looks count in a row')
  t.same(thought([300, 300, idle, 300, idle, idle]), [false, true, true, true, true, false], 'and so it has caught up')
})

t.test('an idle process that is kept from running is not overloaded', async (t) => {
  // As on a machine that others use up: stopped for most of the time, it is late with all that it does.
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `
    import { watchOverload } from ${JSON.stringify(new URL('../../src/door/overload.js', import.meta.url))}
    const overload = watchOverload(0)
    setInterval(() => console.log(JSON.stringify([overload.overloaded(), overload.lag()])), 10)
  `,
    ],
    { env: { ...process.env, NODE_OPTIONS: '' }, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  t.teardown(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const look = async (): Promise<[boolean, number]> => JSON.parse(String((await lines.next()).value))

  let late = 0
  let turnsAway = false
  while (late < 12 && !turnsAway) {
    const [overloaded, delay] = await look()
    turnsAway = overloaded
    if (delay > 200) late += 1
    // It has written what it had to, and waits.
    await pause(5)
    child.kill('SIGSTOP')
    await pause(300)
    child.kill('SIGCONT')
  }
  t.equal(turnsAway, false)
})

t.test('sees an event loop that is late, and one that has caught up', async (t) => {
  const overload = watchOverload(0)
  const starting = watchOverload(600_000)
  t.teardown(overload.close)
  t.teardown(starting.close)
  t.equal(overload.overloaded(), false)

  const block = (): void => {
    const until = performance.now() + 400
    while (performance.now() < until);
  }
  const busy = setInterval(block, 1)
  const began = performance.now()
  while (!overload.overloaded() && performance.now() - began < 40_000)
    await new Promise((resolve) => {
      setTimeout(resolve, 50)
    })
  clearInterval(busy)
  t.equal(overload.overloaded(), true)
  t.equal(starting.overloaded(), false, 'its start is no overload')
  t.ok(overload.lag() > 200)

  while (overload.overloaded() && performance.now() - began < 100_000)
    await new Promise((resolve) => {
      setTimeout(resolve, 50)
    })
  t.equal(overload.overloaded(), false)
})
