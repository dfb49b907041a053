import t from 'tap'

import { createRetryBudget } from '../../src/dynamics/retry-budget.ts'

t.test('allows one fifth of the requests of the last ten seconds, and always ten', async (t) => {
  let now = 0
  const budget = createRetryBudget(0.2, () => now)
  const taken = (): number => {
    let count = 0
    while (budget.take()) count++
    return count
  }

  t.equal(taken(), 10, 'ten without any request')
  now = 20_000
  for (let second = 0; second < 5; second++, now += 1000) for (let request = 0; request < 250; request++) budget.sent()
  t.equal(taken(), 250, 'a fifth of 1250')
  t.equal(taken(), 0)
  now += 5000
  t.equal(taken(), 0, 'still within ten seconds')
  now += 5000
  t.equal(taken(), 10, 'forgotten')
  now += 1_000_000
  t.equal(taken(), 10)
})
