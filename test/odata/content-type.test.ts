import t from 'tap'

import { boundaryOf } from '../../src/odata/content-type.ts'

t.test('the boundary of a batch is read, of a header of moderate length', async (t) => {
  t.equal(boundaryOf('multipart/mixed; boundary=batch_1'), 'batch_1')
  t.equal(boundaryOf(`multipart/mixed; boundary=batch_1; x=${'x'.repeat(10_000)}`), undefined)
})
