import { getHeapSpaceStatistics } from 'node:v8'

import t from 'tap'

import { internalized } from '../../src/odata/internalized.ts'

t.test('the text stays the same', async (t) => {
  for (const text of ['host', '', '12', '__proto__', 'constructor', 'm\xfcller', 'X-Own'])
    t.equal(internalized(text), text)
})

t.test('new texts take little memory that only a full collection of V8 frees', async (t) => {
  const texts = Array.from({ length: 5000 }, (_, number) => `x-unknown-${number}`)
  internalized('x-known')
  const before = oldSpaceBytes()
  for (const text of texts) internalized(text)
  const bytes = (oldSpaceBytes() - before) / texts.length
  t.ok(bytes < 150, `${bytes} bytes`)
})

/** The bytes of the heap beyond the space for new objects. */
function oldSpaceBytes(): number {
  let bytes = 0
  for (const { space_name: name, space_used_size: used } of getHeapSpaceStatistics()) {
    if (!name.startsWith('new_')) bytes += used
  }
  return bytes
}
