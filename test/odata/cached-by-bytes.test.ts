import t from 'tap'

import { cachedByBytes, MAX_CACHED_BYTES, textOfExpected } from '../../src/odata/cached-by-bytes.ts'
import { MAX_TEXTS_OF_ONE_LENGTH } from '../../src/odata/cached-by-text.ts'

t.test('what was derived from bytes is not derived again', async (t) => {
  const derived: string[] = []
  const upperCase = cachedByBytes((text) => {
    derived.push(text)
    return text.toUpperCase()
  })

  for (const text of ['etag', 'vary', 'etag', 'date', '', '', 'e\xfcg']) {
    t.equal(upperCase(Buffer.from(text, 'latin1')), text.toUpperCase())
  }
  t.same(derived, ['etag', 'vary', 'date', '', 'e\xfcg'])
})

t.test('long texts and too many texts take no memory, and their results are right', async (t) => {
  let count = 0
  const length = cachedByBytes((text) => {
    count++
    return text.length
  })
  const long = Buffer.alloc(MAX_CACHED_BYTES + 1)

  t.same([length(long), length(long)], [long.length, long.length])
  t.equal(count, 2)
  const texts = Array.from({ length: MAX_TEXTS_OF_ONE_LENGTH + 1 }, (_, number) => Buffer.from(`x-${10 + number}`))
  for (const text of [...texts, ...texts]) t.equal(length(text), 4)
  t.equal(count, 2 + texts.length + 1, 'the last one is derived twice')
})

t.test('bytes that are the expected text become that text', async (t) => {
  t.equal(textOfExpected(Buffer.from('no-cache'), 'no-cache'), 'no-cache')
  t.equal(textOfExpected(Buffer.from('no-cache'), 'no-store'), 'no-cache')
  t.equal(textOfExpected(Buffer.from('no'), 'no-store'), 'no')
  t.equal(textOfExpected(Buffer.of(0xfc), '\xfc'), '\xfc')
})
