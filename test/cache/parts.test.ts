import t from 'tap'

import { cacheRules } from '../../src/cache/cache-rules.ts'
import { effectOf } from '../../src/cache/effects.ts'
import { identityOf } from '../../src/cache/key.ts'
import { readChanges } from '../../src/cache/metadata-changes.ts'
import { requestHeader } from '../../src/cache/request-with.ts'
import { createResponseMemory } from '../../src/cache/response-memory.ts'
import { shareVersions } from '../../src/cache/shared-versions.ts'
import { bodyOf } from '../../src/cache/stored-response.ts'
import { createVersions } from '../../src/cache/versions.ts'
import { bufferedBody } from '../../src/dynamics/buffered-response.ts'
import type { OutboundRequest } from '../../src/dynamics/send.ts'
import { targetAddress } from '../../src/odata/target-address.ts'

const ROOT = '/api/data/v9.2'
const ADDRESS = targetAddress(`https://contoso.crm4.dynamics.com${ROOT}`)

t.test('a write to the API root may change any entity set, and a read of it is not cached', async (t) => {
  t.match(effectOf('POST', ''), { entitySet: undefined })
  const keep = [{ entitySets: ['accounts'], for: 1000, shared: false }]
  const rules = cacheRules({ schemaCache: 0, reads: { revalidate: false, keep } }, ADDRESS)!
  t.equal(rules({ path: ROOT, headers: [] }), undefined)
  t.equal(rules({ path: `${ROOT}//accounts`, headers: [] }), undefined)
  t.equal(rules({ path: `${ROOT}/EntityDefinitions`, headers: [] }), undefined, 'schemaCache is 0')
})

t.test('repeated headers are joined into one value', async (t) => {
  const request = { headers: ['Prefer', 'a', 'accept', '*/*', 'prefer', 'b'] } as never as OutboundRequest
  t.equal(requestHeader(request, 'prefer'), 'a, b')
  t.equal(requestHeader(request, 'if-match'), undefined)
})

t.test('a response is not shared if the person behind the token is unknown', async (t) => {
  const tokens = { authorization: () => 'Bearer x', discard: () => undefined }
  t.equal(identityOf(undefined, tokens, {}), undefined)
  t.equal(identityOf(undefined, undefined, {}), 'application user')
})

t.test('a response larger than the cache is not stored, and evicts nothing', async (t) => {
  const memory = createResponseMemory(10_000)
  const response = { headers: [], sentAt: 0, version: 0, epoch: undefined, etag: undefined }
  memory.set('small', { ...response, body: Buffer.alloc(10) })
  memory.set('large', { ...response, body: Buffer.alloc(20_000) })
  t.equal(memory.get('large'), undefined)
  t.ok(memory.get('small'))
})

t.test('a stored body can be read at once', async (t) => {
  const bytes = Buffer.from('{}')
  t.equal(await bodyOf(bytes).bytes(10), bytes)
  let isClosed = false
  bodyOf(bytes).onClose(() => {
    isClosed = true
  })
  t.ok(isClosed)
})

t.test('beyond the limit of tracked entity sets, a change counts for all of them', async (t) => {
  const versions = createVersions(() => 0)
  const changed = (entitySet: string): void => versions.changed({ entitySet, schema: false, mayBeAction: false })
  for (let number = 0; number < 1000; number++) changed(`table${number}`)
  const before = versions.of({ entitySet: 'accounts' })
  changed('one more')
  t.equal(versions.of({ entitySet: 'accounts' }), before + 1)
  versions.suspendFor({ entitySet: 'accounts', schema: false, mayBeAction: false }, 1000)
  t.ok(versions.isSuspended({ entitySet: 'accounts' }))
  t.notOk(versions.isSuspended({ entitySet: 'contacts' }))
})

t.test('a schema change at one replica is published to the others', async (t) => {
  const topics: string[] = []
  const versions = shareVersions(
    createVersions(() => 0),
    {
      publish: (topic) => void topics.push(topic),
      subscribe: () => undefined,
    },
  )
  versions.schemaChanged()
  t.same(topics, ['definitions'])
  t.equal(versions.of('schema'), 1)
})

t.test('schema changes that cannot be parsed count as refused', async (t) => {
  const answer = (body: string, coding?: string): ReturnType<typeof readChanges> =>
    readChanges({
      status: 200,
      headers: coding === undefined ? [] : ['content-encoding', coding].map((text) => Buffer.from(text)),
      body: bufferedBody(Buffer.from(body)),
    })
  t.equal(await answer('{'), 'refused')
  t.equal(await answer('{}', 'zstd'), 'refused')
})
