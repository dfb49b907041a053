import fc from 'fast-check'
import t from 'tap'

import { splice } from '../../src/odata/splice.ts'

t.test('without edits the text is unchanged', async (t) => {
  t.equal(splice('abc', 3, []), 'abc')
  t.equal(splice('abc', 2, []), 'ab')
  t.equal(splice('abc', 0, []), '')
})

t.test('bytes between edits are unchanged', async (t) => {
  const gaps = fc.array(fc.tuple(fc.constantFrom(0, 1, 50, 20_000), fc.constantFrom(0, 3)), { maxLength: 8 })
  fc.assert(
    fc.property(gaps, fc.constantFrom(0, 7, 30_000), (spans, rest) => {
      let at = 0
      const edits = spans.map(([gap, length], index) => ({
        from: at + gap,
        to: (at += gap + length),
        put: '!'.repeat(index),
      }))
      const text = Array.from({ length: at + rest }, (_, index) => String.fromCharCode(index % 256)).join('')

      const characters = text.split('')
      for (const { from, to, put } of [...edits].reverse()) characters.splice(from, to - from, put)
      t.equal(splice(text, text.length, edits), characters.join(''))
    }),
    { numRuns: 60 },
  )
})
