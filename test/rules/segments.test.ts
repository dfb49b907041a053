import t from 'tap'

import { segmentsOf } from '../../src/rules/segments.ts'

t.test('the API root is the service document, with and without a trailing slash', async (t) => {
  t.same(segmentsOf(''), segmentsOf('/'))
  t.equal(segmentsOf('')?.length, 1)
})
