import t from 'tap'

import { emulatorFor } from '../support/started-emulator.ts'

const ALL = encodeURIComponent(
  JSON.stringify({ Properties: { AllProperties: false, PropertyNames: ['Attributes'] }, AttributeQuery: {} }),
)
const PATH = 'RetrieveMetadataChanges(Query=@q,DeletedMetadataFilters=@d,ClientVersionStamp=@s)'

t.test('RetrieveMetadataChanges lists what has changed since a stamp', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const since = (stamp: unknown): string =>
    `${PATH}?@q=${ALL}&@d=Microsoft.Dynamics.CRM.DeletedMetadataFilters%27All%27&@s=%27${encodeURIComponent(String(stamp))}%27`
  const first = (await call(`RetrieveMetadataChanges(Query=@q)?@q=${ALL}`)).json
  t.ok(JSON.stringify(first['EntityMetadata']).includes('telephone1'))
  const stamp = first['ServerVersionStamp']
  t.match((await call(since(stamp))).json, { EntityMetadata: [], DeletedMetadata: { Count: 0 } })

  const attributes = "EntityDefinitions(LogicalName='account')/Attributes"
  const column = { '@odata.type': 'Microsoft.Dynamics.CRM.StringAttributeMetadata', SchemaName: 'new_Colour' }
  const add = (body: object): ReturnType<typeof call> =>
    call(attributes, { method: 'POST', body: JSON.stringify(body) })
  t.equal((await add(column)).status, 204)
  t.equal((await add(column)).status, 400, 'it already exists')
  t.equal((await add({ ...column, SchemaName: 'Colour' })).status, 400)
  t.equal((await add({ SchemaName: 'new_Size' })).status, 400)
  t.match((await call(since(stamp))).json, { EntityMetadata: [{ LogicalName: 'account', HasChanged: true }] })
  t.match((await call('$metadata')).text, /new_colour/)

  t.equal((await call(`${attributes}(LogicalName='new_colour')`, { method: 'DELETE' })).status, 204)
  t.equal((await call(`${attributes}(LogicalName='new_colour')`, { method: 'DELETE' })).status, 404)
  t.match((await call(since(stamp))).json, { DeletedMetadata: { Count: 1, Keys: ['Attribute'] } })

  emulator.schema.oldest = emulator.schema.version
  t.match(await call(since(stamp)), { status: 400, json: { error: { code: '0x80044352' } } })
  t.equal((await call(since('x'))).status, 400)
  t.equal((await call('RetrieveMetadataChanges(Query=@q)?@q={}')).status, 400)
  t.equal((await call('RetrieveMetadataChanges')).status, 400)
  t.equal((await call('PublishXml', { method: 'POST', body: '{}' })).status, 400)
  t.equal((await call('PublishXml', { method: 'POST', body: '{"ParameterXml":"<x/>"}' })).status, 204)
})

t.test('metadata queries that are not emulated are refused, never answered differently', async (t) => {
  const { call } = await emulatorFor(t)
  const changes = (query: object): ReturnType<typeof call> =>
    call(`RetrieveMetadataChanges(Query=@q)?@q=${encodeURIComponent(JSON.stringify(query))}`)
  const tables = await changes({ Properties: { PropertyNames: ['LogicalName'] } })
  t.equal(tables.status, 200)
  t.notMatch(tables.text, /telephone1/)
  t.equal((await changes({ Properties: { PropertyNames: [] }, AttributeQuery: {} })).status, 400)
  for (const condition of [
    7,
    { PropertyName: 'LogicalName', Value: 'account' },
    { PropertyName: 'SchemaName', Value: {} },
  ]) {
    t.equal((await changes({ Properties: {}, Criteria: { Conditions: [condition] } })).status, 400)
  }
  t.equal((await call('EntityDefinitions?$filter=LogicalName gt 1')).status, 501)
  t.equal((await call("EntityDefinitions(LogicalName='account')", { method: 'PATCH', body: '{}' })).status, 405)
  const attributes = "EntityDefinitions(LogicalName='account')/Attributes"
  t.equal((await call(attributes, { method: 'PATCH', body: '{}' })).status, 405)
  t.equal((await call(attributes, { method: 'DELETE' })).status, 404)
})
