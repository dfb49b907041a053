import t from 'tap'

import { isBatch } from '../../src/odata/batch-path.ts'

t.test('$batch is recognised in every spelling that Dynamics may accept', (t) => {
  for (const path of [
    '/$batch',
    '/$batch/',
    '/%24batch',
    '/$BATCH',
    '/%24Batch/',
    '/api/data/v9.2/$batch',
    '/$batch?x=1',
    '/$batch/?x',
    '/v2.0/Production/api/contoso/app/v1.0/$batch',
    '/$batch?x=?',
  ])
    t.equal(isBatch(path), true, path)
  t.end()
})

t.test('similar paths are not a batch', (t) => {
  for (const path of [
    '/',
    '',
    '/batch',
    '/foo.$batch',
    '/v9.2r$batch',
    '/$batch/x',
    '/$batchx',
    '/accounts?x=/$batch',
    "/accounts?$filter=a%20eq%20'/$batch",
    '/$batch()',
  ])
    t.equal(isBatch(path), false, path)
  t.end()
})
