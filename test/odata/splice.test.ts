import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import t from 'tap'
import { splice } from '../../src/odata/splice.ts'

t.test('without edits nothing is copied', async t => {
  const bytes = Buffer.from('abc')

  t.equal(splice(bytes, 3, [])[0], bytes)
  t.equal(splice(bytes, 2, [])[0]?.buffer, bytes.buffer)
  t.same(splice(bytes, 0, []), [])
})

t.test('edits are made in small and in large texts alike', async t => {
  const gaps = fc.array(fc.tuple(fc.constantFrom(0, 1, 50, 20_000, 70_000), fc.constantFrom(0, 3)), { maxLength: 8 })
  fc.assert(fc.property(gaps, fc.constantFrom(0, 7, 30_000), (spans, rest) => {
    let at = 0
    const edits = spans.map(([gap, length], index) => ({
      from: at + gap, to: (at += gap + length), put: '!'.repeat(index),
    }))
    const bytes = Buffer.from(Array.from({ length: at + rest }, (_, index) => index % 256))

    let expected = Buffer.alloc(0)
    let read = 0
    for (const { from, to, put } of edits) {
      expected = Buffer.concat([expected, bytes.subarray(read, from), Buffer.from(put)])
      read = to
    }
    expected = Buffer.concat([expected, bytes.subarray(read)])
    t.ok(Buffer.concat(splice(bytes, bytes.length, edits)).equals(expected))
  }), { numRuns: 60 })
})

t.test('a large stretch between two edits is a view', async t => {
  const bytes = Buffer.alloc(100_000, 'x')
  const pieces = splice(bytes, bytes.length, [{ from: 0, to: 1, put: 'yy' }, { from: 99_000, to: 99_001, put: '' }])

  t.equal(pieces.length, 3)
  t.equal(pieces[1]?.buffer, bytes.buffer)
})
