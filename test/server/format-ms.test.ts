import t from 'tap'

import { formatMs } from '../../src/server/format-ms.ts'

t.test('milliseconds have one decimal', async (t) => {
  const times: readonly [number, string][] = [
    [0, '0.0'],
    [0.04, '0.0'],
    [0.05, '0.1'],
    [99.94, '99.9'],
    [99.95, '100.0'],
    [12_345.67, '12345.7'],
  ]
  for (const [milliseconds, text] of times) t.equal(formatMs(milliseconds), text)
})
