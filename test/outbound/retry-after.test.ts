import t from 'tap'

import { retryAfter } from '../../src/outbound/retry-after.ts'

t.test('reads Retry-After: seconds, with a comma between thousands, or a date', async (t) => {
  const now = Date.parse('Fri, 20 Nov 2026 12:00:00 GMT')
  t.equal(retryAfter('17', now), 17_000)
  t.equal(retryAfter(' 0 ', now), 0)
  t.equal(retryAfter('1.5', now), 1500)
  t.equal(retryAfter('1,200', now), 1_200_000, 'with a comma between thousands')
  t.equal(retryAfter('99999999999999999999', now), 86_400_000, 'no longer than a day')
  t.equal(retryAfter('Fri, 20 Nov 2026 12:00:05 GMT', now), 5000)
  t.equal(retryAfter('Fri, 20 Nov 2026 11:00:00 GMT', now), 0, 'in the past')
  for (const odd of [undefined, '', '-1', 'soon', '0x10', '12:00', '1e3']) {
    t.equal(retryAfter(odd, now), undefined, String(odd))
  }
})
