import t from 'tap'

import { allows, cacheDirectives } from '../../src/cache/cache-directives.ts'

const NONE = { noCache: false, noStore: false, onlyIfCached: false, maxAgeMs: Infinity, minFreshMs: 0 }

t.test('directives are parsed as in RFC 9111, and the strictest one applies', async (t) => {
  for (const [header, directives] of [
    ['', {}],
    ['no-cache', { noCache: true }],
    ['No-Store , ONLY-IF-CACHED', { noStore: true, onlyIfCached: true }],
    ['max-age=60', { maxAgeMs: 60_000 }],
    ['max-age = "60",max-age=5, max-age=70', { maxAgeMs: 5000 }],
    ['min-fresh=5, min-fresh=60', { minFreshMs: 60_000 }],
    ['max-age', { maxAgeMs: 0 }],
    ['max-age=-1', { maxAgeMs: 0 }],
    ['max-age=1.5', { maxAgeMs: 0 }],
    ['min-fresh=soon', { minFreshMs: Infinity }],
    ['max-stale=60, x-max-age=5, no-cached, private', {}],
    [`max-age=${'9'.repeat(400)}`, { maxAgeMs: Infinity }],
  ] as const) {
    t.same(cacheDirectives(header), { ...NONE, ...directives }, header)
  }
})

t.test('max-age and min-fresh are separate limits', async (t) => {
  const directives = { ...NONE, maxAgeMs: 1000, minFreshMs: 500 }
  t.ok(allows(undefined, 5000, 1))
  t.ok(allows(directives, 1000, 500))
  t.notOk(allows(directives, 1001, 500))
  t.notOk(allows(directives, 1000, 499))
})
