import fc from 'fast-check'

const space = fc.constantFrom('', '', '', ' ', '\n  ', '\t')

/**
 * JSON texts with names and strings that are links, resemble links, or hold JSON with links, in all spacings.
 *
 * @param names of members
 * @param texts raw, as they stand between quotes
 */
export function randomJson(names: readonly string[], texts: readonly string[]): fc.Arbitrary<string> {
  const name = fc.constantFrom(...names)
  const plain = fc.oneof(fc.constantFrom(...texts), fc.string({ maxLength: 8 }))
  const note = fc.tuple(name, plain).map(([key, value]) => JSON.stringify({ [key]: value }))
  const text = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...texts).map((raw) => `"${raw}"`) },
    { weight: 1, arbitrary: note.map((json) => JSON.stringify(json)) },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }).map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: name.map((key) => JSON.stringify(key)) },
  )
  const { value } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      text,
      fc.constantFrom('1', '9007199254740993', '1.00', 'null', 'true'),
      tie('object'),
      tie('array'),
    ),
    object: fc
      .array(fc.tuple(space, name, space, space, tie('value'), space), { maxLength: 5 })
      .map((members) => `{${members.map(([a, key, b, c, it, d]) => `${a}"${key}"${b}:${c}${it}${d}`).join(',')}}`),
    array: fc
      .array(fc.tuple(space, tie('value'), space), { maxLength: 4 })
      .map((items) => `[${items.map((item) => item.join('')).join(',')}]`),
  }))
  return value
}
