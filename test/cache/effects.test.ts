import t from 'tap'

import { effectOf } from '../../src/cache/effects.ts'
import { changesPath, readChanges } from '../../src/cache/metadata-changes.ts'
import { bufferedBody } from '../../src/dynamics/buffered-response.ts'

t.test('a write changes the entity set that it names, and anything where that cannot be told', async (t) => {
  for (const [method, path, entitySet, schema] of [
    ['POST', '/accounts', 'accounts', false],
    ['PATCH', '/Accounts(1)', 'accounts', false],
    ['DELETE', "/accounts(name='a%2Fb')", 'accounts', false],
    ['PUT', '/accounts(1)/name', undefined, false],
    ['POST', '/accounts(1)/contact_customer_accounts/$ref', undefined, false],
    ['POST', '/accounts(1)/Microsoft.Dynamics.CRM.Act', undefined, false],
    ['POST', '/Microsoft.Dynamics.CRM.Act', undefined, false],
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

t.test('what Dynamics says of changes', async (t) => {
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
