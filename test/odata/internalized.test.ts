import t from 'tap'

import { internalized } from '../../src/odata/internalized.ts'

t.test('the text stays the same', async (t) => {
  for (const text of ['host', '', '12', '__proto__', 'constructor', 'm\xfcller', 'X-Own'])
    t.equal(internalized(text), text)
})
