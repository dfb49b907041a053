import t from 'tap'

import { stateByKey } from '../../src/dynamics/state-by-key.ts'

interface State {
  uses: number
}

function states(): (key: string) => State {
  return stateByKey(
    () => ({ uses: 0 }),
    ({ uses }) => uses === 0,
  )
}

t.test('each key has its own state, which stays for its next use', async (t) => {
  const of = states()

  const a = of('a')

  t.equal(of('a'), a)
  t.not(of('b'), a)
})

t.test('idle state is removed when there is much of it, and state in use is not', async (t) => {
  for (const [keys, length] of [
    [2000, 10],
    [20, 20_000],
  ] as const) {
    const of = states()
    const inUse = of('in use')
    inUse.uses = 1
    const idle = of('idle')

    for (let key = 0; key < keys; key++) of(String(key).padEnd(length))

    t.equal(of('in use'), inUse)
    t.not(of('idle'), idle, `${keys} keys of ${length} characters`)
  }
})

t.test('state in use does not count as idle', async (t) => {
  const of = states()
  for (let key = 0; key < 10_000; key++) of(`in use ${key}`).uses = 1
  const idle = of('idle')

  for (let key = 0; key < 100; key++) of(String(key))

  t.equal(of('idle'), idle)
})
