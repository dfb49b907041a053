import t from 'tap'

import { effectOf } from '../../src/cache/effects.ts'
import { changesPath, readChanges } from '../../src/cache/metadata-changes.ts'
import { createVersions } from '../../src/cache/versions.ts'
import { watchWrites } from '../../src/cache/watch-writes.ts'
import { bufferedBody } from '../../src/dynamics/buffered-response.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import { modelRequest } from '../support/model-dynamics.ts'

t.test('a write changes the entity set in its path, or any entity set if the path is not understood', async (t) => {
  for (const [method, path, entitySet, schema] of [
    ['POST', '/accounts', 'accounts', false],
    ['PATCH', '/Accounts(1)', 'accounts', false],
    ['DELETE', "/accounts(name='a%2Fb')", 'accounts', false],
    ['PUT', '/accounts(1)/name', undefined, false],
    ['POST', '/accounts(1)/contact_customer_accounts/$ref', undefined, false],
    ['POST', '/accounts(1)/Microsoft.Dynamics.CRM.Act', undefined, false],
    ['POST', '/Microsoft.Dynamics.CRM.Act', undefined, false],
    ['PATCH', '/systemusers(1)', undefined, false],
    ['DELETE', '/teams(1)', undefined, false],
    ['PATCH', '/FieldPermissions(1)', undefined, false],
    ['POST', '/principalobjectaccessset', undefined, false],
    ['PATCH', '/new_roles(1)', 'new_roles', false],
    ['PATCH', '/$1', undefined, false],
    ['DELETE', '/$entity', undefined, false],
    ['POST', '/PublishXml', undefined, true],
    ['POST', '/ImportSolutionAsync', undefined, true],
    ['DELETE', '/solutions(1)', undefined, true],
    ['POST', "/EntityDefinitions(LogicalName='account')/Attributes", undefined, true],
    ['POST', '//', undefined, true],
    ['POST', undefined, undefined, true],
    ['POST', '/', undefined, true],
  ] as const) {
    t.match(effectOf(method, path), { entitySet, schema }, `${method} ${path}`)
  }
  t.ok(effectOf('POST', '/accounts').mayBeAction)
  t.notOk(effectOf('PATCH', '/accounts(1)').mayBeAction)
})

t.test('parses the schema changes that Dynamics reports', async (t) => {
  const read = (status: number, body: unknown): ReturnType<typeof readChanges> =>
    readChanges({ status, headers: [], body: bufferedBody(Buffer.from(JSON.stringify(body))) })
  const stamp = '1!10/09/2022 22:10:22'
  const nothing = { ServerVersionStamp: stamp, EntityMetadata: [], DeletedMetadata: { Count: 0 } }
  t.same(await read(200, nothing), { stamp, hasChanged: false })
  t.same(await read(200, { ...nothing, DeletedMetadata: null }), { stamp, hasChanged: false })
  t.same(await read(200, { ...nothing, DeletedMetadata: { Count: 1 } }), { stamp, hasChanged: true })
  t.same(await read(200, { ...nothing, DeletedMetadata: {} }), { stamp, hasChanged: true })
  t.same(await read(200, { ...nothing, EntityMetadata: [{}] }), { stamp, hasChanged: true })
  t.equal(await read(200, {}), 'refused')
  t.equal(await read(200, null), 'refused')
  t.equal(await read(400, { error: { code: '0x80044352', message: '' } }), 'expired')
  t.equal(await read(403, { error: { code: '0x80040220', message: '' } }), 'refused')
  t.equal(await read(429, {}), 'unreachable')
  t.equal(await read(503, {}), 'unreachable')
  t.match(changesPath('/api/data/v9.2', "1'2"), /ClientVersionStamp=@s\)\?@q=.*&@s=%27/)
})

t.test('what a background operation may change is not cached while it runs', async (t) => {
  const address = targetAddress('https://contoso.crm4.dynamics.com/api/data/v9.2')
  let now = 0
  for (const [status, waits] of [
    [204, false],
    [202, true],
    [503, true],
  ] as const) {
    const versions = createVersions(() => now)
    const send = watchWrites(
      async () => ({ status, headers: [], body: bufferedBody(Buffer.alloc(0)) }),
      address,
      versions,
    )
    await send(modelRequest('POST', '/new_Recalculate', []))
    for (const entitySet of ['accounts', undefined]) {
      t.equal(versions.isSuspended({ entitySet }), waits, `${status} ${entitySet}`)
    }
    t.equal(versions.isSuspended('schema'), false)
    t.equal(versions.of({ entitySet: 'accounts' }), 1)
    t.equal(versions.of({ entitySet: undefined }), 1)
    now += 130_001
    t.equal(versions.isSuspended({ entitySet: undefined }), false)
  }
})
