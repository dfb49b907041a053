import { getHeapSpaceStatistics } from 'node:v8'

import t from 'tap'

import { internalized } from '../../src/odata/internalized.ts'

t.test('the text stays the same', async (t) => {
  for (const text of ['host', '', '12', '__proto__', 'constructor', 'm\xfcller', 'X-Own'])
    t.equal(internalized(text), text)
})

t.test('new texts take little memory that only a full collection of V8 frees', async (t) => {
  const count = 5000
  const rounds = Array.from({ length: 7 }, (_, round) => {
    const before = oldSpaceBytes()
    for (let number = 0; number < count; number++) internalized(`x-${round}-unknown-${number}`)
    return (oldSpaceBytes() - before) / count
  })
  // V8 also keeps what it compiles there, so single rounds may take more: the median counts.
  const bytes = rounds.sort((one, other) => one - other)[3]!
  t.ok(bytes < 100, `${bytes} bytes`)
})

/** The bytes of the heap beyond the space for new objects. */
function oldSpaceBytes(): number {
  let bytes = 0
  for (const { space_name: name, space_used_size: used } of getHeapSpaceStatistics()) {
    if (!name.startsWith('new_')) bytes += used
  }
  return bytes
}
