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

t.test('the API root changes anything when it is written to, and is not cached', async (t) => {
  t.match(effectOf('POST', ''), { entitySet: undefined })
  const keep = [{ entitySets: ['accounts'], for: 1000, shared: false }]
  const rules = cacheRules({ schemaCache: 0, reads: { revalidate: false, keep } }, ADDRESS)!
  t.equal(rules(ROOT, undefined), undefined)
  t.equal(rules(`${ROOT}//accounts`, undefined), undefined)
  t.equal(rules(`${ROOT}/EntityDefinitions`, undefined), undefined, 'definitions are not cached where they are off')
})

t.test('a header in several lines is one value', async (t) => {
  const request = { headers: ['Prefer', 'a', 'accept', '*/*', 'prefer', 'b'] } as never as OutboundRequest
  t.equal(requestHeader(request, 'prefer'), 'a, b')
  t.equal(requestHeader(request, 'if-match'), undefined)
})

t.test('tokens of an unknown person are nobody to share a response with', async (t) => {
  const tokens = { authorization: () => 'Bearer x', discard: () => undefined }
  t.equal(identityOf(undefined, tokens, {}), undefined)
  t.equal(identityOf(undefined, undefined, {}), 'application user')
})

t.test('a response that is larger than all of the memory is not kept, and takes the place of none', async (t) => {
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

t.test('more entity sets than there is room for count as all', async (t) => {
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

t.test('a publish at one replica reaches the others', async (t) => {
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

t.test('changes of definitions that cannot be read are refused', async (t) => {
  const answer = (body: string, coding?: string): ReturnType<typeof readChanges> =>
    readChanges({
      status: 200,
      headers: coding === undefined ? [] : ['content-encoding', coding].map((text) => Buffer.from(text)),
      body: bufferedBody(Buffer.from(body)),
    })
  t.equal(await answer('{'), 'refused')
  t.equal(await answer('{}', 'zstd'), 'refused')
})
