import t from 'tap'

import { inProcess } from '../../src/replicas/in-process.ts'

t.test('what was set is there, for its time, and the oldest is lost first', async (t) => {
  const state = inProcess(2)

  await state.set('a', '1', 60_000)
  await state.set('b', '2', 60_000)
  t.equal(await state.get('a'), '1')
  await state.set('c', '3', 60_000)

  t.equal(await state.get('b'), undefined)
  t.equal(await state.get('a'), '1')
  t.equal(await state.get('c'), '3')
})
