import t from 'tap'

import { textBuffer } from '../../src/odata/text-buffer.ts'

t.test('returns the added text in one piece, once', async (t) => {
  const gathered = textBuffer()
  t.equal(gathered.take(), '')
  for (let count = 0; count < 5000; count++) gathered.add('ab')
  t.equal(gathered.length, 10_000)
  t.equal(gathered.take(), 'ab'.repeat(5000))
  t.equal(gathered.length, 0)
  gathered.add('c')
  t.equal(gathered.take(), 'c')
})
