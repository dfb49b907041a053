import t from 'tap'

import { cachedByText, MAX_CACHED_TEXTS } from '../../src/odata/cached-by-text.ts'

t.test('what was derived from a text is not derived again', async (t) => {
  let count = 0
  const length = cachedByText((text) => {
    count++
    return text.length
  })

  t.same([length('abc'), length('abc'), length('')], [3, 3, 0])
  t.equal(count, 2)
})

t.test('long texts and too many texts take no memory, and their results are right', async (t) => {
  const derived: string[] = []
  const upperCase = cachedByText((text) => {
    derived.push(text)
    return text.toUpperCase()
  })
  const long = 'x'.repeat(101)

  t.same([upperCase(long), upperCase(long)], [long.toUpperCase(), long.toUpperCase()])
  t.same(derived, [long, long])
  for (let number = 0; number < MAX_CACHED_TEXTS; number++) upperCase(`name-${number}`)
  t.same([upperCase('one-more'), upperCase('one-more')], ['ONE-MORE', 'ONE-MORE'])
  t.same(derived.slice(-2), ['one-more', 'one-more'])
  t.equal(upperCase('name-0'), 'NAME-0')
  t.not(derived.at(-1), 'name-0')
})
