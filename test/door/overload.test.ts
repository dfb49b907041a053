import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'

import t from 'tap'

import overloadCheck, { nextPressure, watchOverload } from '../../src/door/overload.ts'
import type { Sample } from '../../src/door/overload.ts'
import { respondWithError } from '../../src/server/error-handler.ts'
import { callersFixture } from '../support/callers-fixture.ts'
import { get, rawRequest } from '../support/raw-http.ts'

/**
 * Whether the process counts as overloaded after each of `samples`. A plain number is the delay of a busy event loop.
 */
function overloadedAfter(samples: (number | Sample)[]): boolean[] {
  let pressure = { overloaded: false, against: 0 }
  return samples.map((sample) => {
    pressure = nextPressure(pressure, typeof sample === 'number' ? { delay: sample, utilization: 1 } : sample)
    return pressure.overloaded
  })
}

t.setTimeout(600_000)

t.test('sheds load after two late samples, and stops after two punctual ones', async (t) => {
  t.same(
    overloadedAfter([0, 300, 0, 300, 300, 300]),
    [false, false, false, false, true, true],
    'a single late sample may be a pause',
  )
  t.same(
    overloadedAfter([300, 300, 150, 79, 81, 79, 79]),
    [false, true, true, true, true, true, false],
    'the two thresholds differ',
  )
})

t.test('a late event loop with low utilization is not overloaded, because the machine is', async (t) => {
  const idle = { delay: 400, utilization: 0.5 }
  t.same(overloadedAfter([idle, idle, idle]), [false, false, false])
  t.same(overloadedAfter([300, idle, 300, 300]), [false, false, false, true], 'only consecutive samples count')
  t.same(
    overloadedAfter([300, 300, idle, 300, idle, idle]),
    [false, true, true, true, true, false],
    'and so it has caught up',
  )
})

t.test('an idle process that gets no CPU is not overloaded', async (t) => {
  // As on a machine whose CPU others use: the process is stopped most of the time, so everything is late.
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
  const sample = async (): Promise<[boolean, number]> => JSON.parse(String((await lines.next()).value))

  let late = 0
  let turnsAway = false
  while (late < 12 && !turnsAway) {
    const [overloaded, delay] = await sample()
    turnsAway = overloaded
    if (delay > 200) late += 1
    // It has written all its lines, and waits.
    await pause(5)
    child.kill('SIGSTOP')
    await pause(300)
    child.kill('SIGCONT')
  }
  t.equal(turnsAway, false)
})

t.test('detects an event loop that is late, and one that has caught up', async (t) => {
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
  t.equal(starting.overloaded(), false, 'startup is not overload')
  t.ok(overload.lag() > 200)

  while (overload.overloaded() && performance.now() - began < 100_000)
    await new Promise((resolve) => {
      setTimeout(resolve, 50)
    })
  t.equal(overload.overloaded(), false)
})

t.test('refuses requests while the gateway is overloaded', async (t) => {
  let overloaded = true
  const { server, passed } = await callersFixture(t, {}, (app) => {
    app.setErrorHandler(respondWithError)
    app.register(overloadCheck, { overload: { overloaded: () => overloaded } })
  })

  const refused = await rawRequest(server, get('/accounts'))
  t.match(refused, { status: 503, code: 'GATEWAY_OVERLOADED', head: /^retry-after: 1$/im })
  t.same(passed, [])
  overloaded = false
  t.equal((await rawRequest(server, get('/accounts'))).status, 200)
})
