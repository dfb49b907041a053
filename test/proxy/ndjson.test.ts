import t from 'tap'

import { acceptOfRows } from '../../src/proxy/ndjson.ts'

t.test('NDJSON is chosen if no other type is preferred', async (t) => {
  for (const [accept, outbound] of [
    ['application/x-ndjson', 'application/json'],
    ['Application/X-NDJSON; odata.metadata=none ;q=0.9', 'application/json;odata.metadata=none'],
    ['application/json;q=0.5, application/x-ndjson;IEEE754Compatible=true', 'application/json;IEEE754Compatible=true'],
    ['application/x-ndjson, */*', 'application/json'],
    ['application/x-ndjson;q=0', undefined],
    ['application/x-ndjson;q=x', undefined],
    ['application/json, application/x-ndjson;q=0.9', undefined],
    ['application/ndjson', undefined],
    ['*/*', undefined],
    [undefined, undefined],
  ] as const) {
    t.equal(acceptOfRows(accept), outbound, String(accept))
  }
})
