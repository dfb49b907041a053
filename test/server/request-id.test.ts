import t from 'tap'

import { newRequestId } from '../../src/server/request-id.ts'

t.test('ids are random UUIDs, each once', async (t) => {
  const ids = Array.from({ length: 1000 }, newRequestId)

  const isUuid = (id: string): boolean => /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/.test(id)
  t.ok(ids.every(isUuid))
  t.equal(new Set(ids).size, ids.length)
  for (const place of [0, 15, 19, 35]) {
    const digits = new Set(ids.map((id) => id[place]))
    t.equal(digits.size, place === 19 ? 4 : 16, `all digits occur at ${place}`)
  }
})
