import t from 'tap'

import { createRefusedIdentities } from '../../src/cache/refused-identities.ts'

t.test('a refusal applies to one user, and to all when the list is full', async (t) => {
  let now = 0
  const { refused, refusedAt } = createRefusedIdentities(() => now)
  t.equal(refusedAt('a', 'accounts'), -Infinity)
  now = 5
  refused('a', undefined)
  t.equal(refusedAt('a', 'accounts'), 5)
  t.equal(refusedAt('a', undefined), 5)
  t.equal(refusedAt('b', 'accounts'), -Infinity)
  now = 7
  for (let count = 0; count < 10_000; count++) refused(`user ${count}`, undefined)
  t.equal(refusedAt('a', 'accounts'), 7)
  t.equal(refusedAt('b', undefined), 7)
})

t.test('a refusal can apply to one entity set', async (t) => {
  let now = 5
  const { refused, refusedAt } = createRefusedIdentities(() => now)
  refused('a', 'accounts')
  t.equal(refusedAt('a', 'accounts'), 5)
  t.equal(refusedAt('a', 'contacts'), -Infinity)
  t.equal(refusedAt('a', undefined), 5, 'the latest refusal of any entity set')
  t.equal(refusedAt('b', 'accounts'), -Infinity)
  now = 6
  refused('a', undefined)
  t.equal(refusedAt('a', 'accounts'), 6)
})
