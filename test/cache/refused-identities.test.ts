import t from 'tap'

import { createRefusedIdentities } from '../../src/cache/refused-identities.ts'

t.test('a refusal is that of one user, and of all where there are too many to remember', async (t) => {
  let now = 0
  const { refused, refusedAt } = createRefusedIdentities(() => now)
  t.equal(refusedAt('a'), -Infinity)
  now = 5
  refused('a')
  t.equal(refusedAt('a'), 5)
  t.equal(refusedAt('b'), -Infinity)
  now = 7
  for (let count = 0; count < 10_000; count++) refused(`user ${count}`)
  t.equal(refusedAt('a'), 7)
  t.equal(refusedAt('b'), 7)
})
