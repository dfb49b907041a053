import t from 'tap'

import { codeOf, limitOf, retryDelay } from '../../../src/dynamics/limits/parse.ts'

t.test('recognises the limit by its code, in any notation', async (t) => {
  const body = (code: unknown): string => JSON.stringify({ error: { code, message: '' } })
  t.equal(limitOf(body('0x80072322')), 'count')
  t.equal(limitOf(body('0X80072321')), 'time')
  t.equal(limitOf(body('0x80072326')), 'concurrency')
  t.equal(limitOf(body('-2147015902')), 'count', 'decimal, as in the SDKs')
  t.equal(limitOf(body(-2147015898)), 'concurrency', 'a number')
  t.equal(limitOf(body('0x8005F103')), 'other')
  for (const odd of ['', '{}', '<html>', '[]', 'null', body(''), body(undefined), body('none'), body({})]) {
    t.equal(limitOf(odd), 'other', odd)
    t.equal(codeOf(odd), undefined, odd)
  }
})

t.test('waits at least as long as Retry-After', async (t) => {
  t.equal(retryDelay(17_000, 1), 17_000)
  t.equal(retryDelay(17_000, 5), 17_000)
  t.same(
    [1, 2, 3].map((attempt) => retryDelay(undefined, attempt)),
    [1000, 2000, 4000],
    'doubling without Retry-After',
  )
  t.same(
    [1, 2, 3].map((attempt) => retryDelay(0, attempt)),
    [50, 100, 200],
    'at least a moment',
  )
  t.equal(retryDelay(undefined, 100), 64_000, 'no longer than about a minute')
})
