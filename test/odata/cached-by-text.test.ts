import t from 'tap'

import { cachedByText, MAX_CACHED_CHARACTERS, MAX_TEXTS_OF_ONE_LENGTH } from '../../src/odata/cached-by-text.ts'

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
  const long = 'x'.repeat(MAX_CACHED_CHARACTERS + 1)

  t.same([upperCase(long), upperCase(long)], [long.toUpperCase(), long.toUpperCase()])
  t.same(derived, [long, long])
  const names = Array.from({ length: MAX_TEXTS_OF_ONE_LENGTH }, (_, number) => `name-${10 + number}`)
  for (const name of [...names, ...names]) t.equal(upperCase(name), name.toUpperCase())
  t.same(derived.slice(2), names, 'each is derived once')

  t.same([upperCase('one-two'), upperCase('one-two')], ['ONE-TWO', 'ONE-TWO'])
  t.equal(derived.at(-1), 'one-two')
  t.equal(upperCase(names[1]!), 'NAME-11')
  t.equal(derived.at(-1), 'one-two', 'the others are still cached')
  t.equal(upperCase(names[0]!), 'NAME-10')
  t.equal(derived.at(-1), names[0], 'the oldest one is not')
})
