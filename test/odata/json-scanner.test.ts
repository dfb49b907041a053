import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'

import fc from 'fast-check'
import t from 'tap'

import { jsonScanner, type ScannedValue } from '../../src/odata/json-scanner.ts'
import { cutPositions, shares } from '../support/chunkings.ts'
import { randomJson } from '../support/random-json.ts'

/** The values in a text; `undefined` if it is refused. */
function scanned(text: string, cuts: readonly number[] = []): readonly ScannedValue[] | undefined {
  const values: ScannedValue[] = []
  const scanner = jsonScanner({ maxDepth: 3, begins() {}, ends: (value) => void values.push(value) })
  const borders = [0, ...[...cuts].sort((one, other) => one - other), text.length]
  try {
    for (const [index, border] of borders.slice(1).entries()) scanner.scan(text.slice(borders[index], border))
    scanner.end()
    return values
  } catch {
    return undefined
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const tokens = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"a"',
  '"',
  '\\',
  '\\u00e4',
  '\\u12',
  '0',
  '01',
  '-',
  '-0',
  '1',
  '.',
  '1.5',
  'e',
  '1e5',
  '1E+2',
  '1e',
  'true',
  'false',
  'null',
  'nul',
  ' ',
  '\n',
  '\t',
  '\r',
  '\f',
  '\0',
  '\u00a0',
  '\u007f',
  'x',
  "'",
  '{}',
  '[]',
  '{"a":1}',
]

t.test('accepts exactly what JSON.parse accepts, with any chunk borders', async (t) => {
  const some = fc.oneof(
    { weight: 2, arbitrary: fc.array(fc.constantFrom(...tokens), { maxLength: 8 }).map((all) => all.join('')) },
    { weight: 1, arbitrary: fc.json() },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.json(), fc.nat(), fc.constantFrom('', ...tokens)).map(([text, place, token]) => {
        const at = place % (text.length + 1)
        return text.slice(0, at) + token + text.slice(at + (place % 2))
      }),
    },
  )
  let taken = 0
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(some, shares, (text, cuts) => {
        const bytes = Buffer.from(text).toString('latin1')
        const values = scanned(bytes)
        assert.equal(values !== undefined, isJson(bytes), JSON.stringify(text))
        assert.deepEqual(scanned(bytes, cutPositions(bytes.length, cuts)), values)
        if (values !== undefined) taken++
      }),
      { numRuns: 5000 },
    ),
  )
  t.ok(taken > 500, 'many are accepted')
  for (const text of [
    '',
    ' ',
    '01',
    '-',
    '1.',
    '.5',
    '1e',
    '+1',
    '[1,]',
    '{"a":1,}',
    '{,}',
    '[,]',
    '"\t"',
    '"\\x"',
    '1 2',
    'tru',
    'truex',
    '{"a"}',
    '{1:2}',
    '[1}',
    '{"a":1]',
    '"\\u12g4"',
    '\ufeff1',
    ']',
  ])
    t.equal(scanned(text), undefined, text)
})

t.test('reports the positions of values and their names', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(randomJson(['a', 'b c'], ['x', '\\"', '\\\\']), (text) => {
        for (const { start, end, nameStart, nameEnd, depth } of scanned(text)!) {
          JSON.parse(text.slice(start, end))
          if (nameStart !== -1) assert.equal(typeof JSON.parse(text.slice(nameStart, nameEnd)), 'string')
          if (depth === 0) assert.deepEqual(JSON.parse(text.slice(start, end)), JSON.parse(text))
        }
      }),
      { numRuns: 300 },
    ),
  )
  t.same(
    scanned('{"a":[1,{"b":2}]}')!.map(({ start, end, nameStart, nameEnd, depth }) => [
      depth,
      '{"a":[1,{"b":2}]}'.slice(start, end),
      '{"a":[1,{"b":2}]}'.slice(nameStart, nameEnd),
    ]),
    [
      [2, '1', ''],
      [3, '2', '"b"'],
      [2, '{"b":2}', ''],
      [1, '[1,{"b":2}]', '"a"'],
      [0, '{"a":[1,{"b":2}]}', ''],
    ],
  )
})

t.test('a byte order mark before the text is accepted, with any chunk borders', async (t) => {
  const mark = '\u00ef\u00bb\u00bf'
  t.ok(scanned(`${mark}{}`))
  for (const cut of [1, 2, 3]) t.ok(scanned(`${mark}{}`, [cut]), String(cut))
  for (const text of [mark, `${mark}${mark}1`, '\u00ef1', `1${mark}`]) t.equal(scanned(text), undefined)
})

t.test('100 levels are accepted, and one more is refused at once', async (t) => {
  t.ok(scanned(`${'['.repeat(100)}${']'.repeat(100)}`))
  const scanner = jsonScanner({ maxDepth: 0, begins() {}, ends() {} })
  t.throws(() => scanner.scan('['.repeat(101)), { name: 'MalformedBatch', message: /deeper than 100/ })
})
