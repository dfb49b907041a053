import t from 'tap'

import { bodyEnd } from '../../src/odata/body-end.ts'
import { level } from '../../src/odata/delimiters.ts'

/** Where the body at the start of `text` ends, in a change set `c` of a batch `b`. */
function endIn(text: string, place: { isLast?: boolean; isStrict?: boolean; isBodyStart?: boolean } = {}) {
  return bodyEnd(text, {
    base: 0,
    levels: [level('c'), level('b')],
    isBodyStart: true,
    isLast: false,
    isStrict: false,
    ...place,
  })
}

t.test('a body ends before the line break of a delimiter', async (t) => {
  const inner = { depth: 0, closing: false }
  t.same(endIn('body\r\n--c\r\nnext'), { end: 4, delimiter: inner, next: 11 })
  t.same(endIn('body\n--c\nnext'), { end: 4, delimiter: inner, next: 9 })
  t.same(endIn('body\r\n--b--\r\n'), { end: 4, delimiter: { depth: 1, closing: true }, next: 13 })
  t.same(endIn('--c\r\n'), { end: 0, delimiter: inner, next: 5 }, 'an empty body')
  t.same(endIn('body\r\n--c', { isLast: true }), { end: 4, delimiter: inner, next: 9 }, 'the end of the batch')
})

t.test('bytes that may start a delimiter are held back', async (t) => {
  t.match(endIn('body\r\n-'), { end: 3, delimiter: undefined })
  t.match(endIn('body\r\n--c '), { end: 4, delimiter: undefined })
  t.match(endIn('body', { isLast: true }), { end: 4, delimiter: undefined })
  t.match(endIn('b'), { end: 0, delimiter: undefined })
})

t.test('dashes within a line are data', async (t) => {
  t.match(endIn('a --c\r\n', { isLast: true }), { end: 7, delimiter: undefined })
  t.match(endIn('--c\r\n', { isBodyStart: false, isLast: true }), { end: 5, delimiter: undefined })
})

t.test('a line that only starts like a delimiter is data or refused', async (t) => {
  for (const text of ['body\r\n--cd\r\n', 'body\r--c\r\n']) {
    t.match(endIn(text, { isLast: true }), { end: text.length, delimiter: undefined })
    t.throws(() => endIn(text, { isStrict: true }), /could be taken for a delimiter/)
  }
})
