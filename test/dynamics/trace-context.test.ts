import t from 'tap'

import { newSpanId, traceOf } from '../../src/dynamics/trace-context.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'

t.test('accepts only traceparent as specified by W3C', async (t) => {
  const context = { traceId: TRACE, parentId: 'b7ad6b7169203331', spanId: undefined, sampled: true }

  t.same(traceOf(`00-${TRACE}-b7ad6b7169203331-01`), context)
  t.same(traceOf(`00-${TRACE}-b7ad6b7169203331-02`), { ...context, sampled: false })
  t.same(traceOf(`01-${TRACE}-b7ad6b7169203331-01-more`), context, 'a later version may have more fields')
  for (const wrong of [
    undefined,
    ['00'],
    '',
    'x',
    `ff-${TRACE}-b7ad6b7169203331-01`,
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-b7ad6b7169203331-01`,
    `00-${TRACE}-b7ad6b7169203331-01x`,
  ]) {
    t.equal(traceOf(wrong as string), undefined, String(wrong))
  }
})

t.test('a span id has 16 hexadecimal digits', async (t) => {
  t.match(newSpanId(), /^[0-9a-f]{16}$/)
})
