import t from 'tap'

import { numberPart } from '../../src/odata/json-number.ts'
import type { NumberPart } from '../../src/odata/json-number.ts'

/** The part of the last character of `text`. */
function lastPart(text: string): NumberPart | 'end' | undefined {
  let part: NumberPart = 'sign'
  for (const [index, character] of [...text].entries()) {
    if (index === 0 && character === '-') continue
    const next = numberPart(part, character.charCodeAt(0))
    if (next === undefined || next === 'end') return next
    part = next
  }
  return part
}

t.test('each character of a number belongs to one of its parts', async (t) => {
  for (const [text, part] of [
    ['-', 'sign'],
    ['0', 'zero'],
    ['-10', 'whole'],
    ['1.', 'point'],
    ['1.50', 'fraction'],
    ['1e', 'e'],
    ['1.5E', 'e'],
    ['0e+', 'e-sign'],
    ['0e-', 'e-sign'],
    ['0e-10', 'exponent'],
    ['0e10', 'exponent'],
  ] as const) {
    t.equal(lastPart(text), part, text)
  }
})

t.test('a number ends where it is complete', async (t) => {
  for (const text of ['0,', '10}', '1.5]', '1e3 ', '1.5.', '1e3.', '1e3e', '1-']) t.equal(lastPart(text), 'end', text)
})

t.test('numbers that JSON does not allow are malformed', async (t) => {
  for (const text of ['01', '-,', '-.', '.5', '1.,', '1.e', '1e,', '1e+,', '1e+-', '1e.', '+1', 'e']) {
    t.equal(lastPart(text), undefined, text)
  }
})
