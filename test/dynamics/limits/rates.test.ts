import t from 'tap'

import { readRates } from '../../../src/dynamics/limits/rates.ts'

/** A response with this suggested degree of parallelism. */
function hint(parallel: string): { readonly headers: readonly Buffer[] } {
  return { headers: ['content-length', '0', 'X-MS-DOP-Hint', parallel].map((text) => Buffer.from(text)) }
}

t.test('the limits of few responses are read', async (t) => {
  let now = 1000
  const suggested: number[] = []
  const rates = readRates(
    (parallel) => suggested.push(parallel),
    () => now,
  )
  function read(times: number, parallel: string): void {
    for (let time = 0; time < times; time++) rates.read(hint(parallel))
  }

  read(1, '1')
  t.same(suggested, [1], 'the first one')
  read(100, '2')
  t.same(suggested, [1], 'none soon after it')
  now += 100
  read(16, '3')
  t.same(suggested, [1, 3], 'a later one')
  t.same(rates.last(), { requests: undefined, seconds: undefined, parallel: 3 })
})

t.test('a hint that is not a positive number is ignored', async (t) => {
  for (const text of ['', 'many', '-1', '1e3', '0x10', '0']) {
    const rates = readRates(() => t.fail(text))
    rates.read(hint(text))
  }
})
