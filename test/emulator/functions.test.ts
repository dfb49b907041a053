import t from 'tap'

import { emulatorFor, userId } from '../support/started-emulator.ts'

t.test('reports version and organisation', async (t) => {
  const { call } = await emulatorFor(t)
  const access = "Microsoft.Dynamics.CRM.EndpointAccessType'Default'"

  t.match((await call('RetrieveVersion()')).json['Version'], /^9\.2\./)
  t.match((await call('https://contoso.crm4.dynamics.com/api/data/version')).json['Version'], /^9\.2\./)
  t.match((await call(`RetrieveCurrentOrganization(AccessType=@p)?@p=${access}`)).json['Detail'], {
    UrlName: 'contoso',
  })
  t.equal((await call('RetrieveCurrentOrganization()')).status, 404)
  t.equal((await call('RetrieveCurrentOrganization')).status, 404)
  t.equal((await call('WhoAmI', { method: 'POST' })).status, 404)
  t.equal((await call('whoami')).status, 404)
  t.equal((await call('WhoAmI/x')).status, 404)
})

t.test('reports the privileges of users', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const application = String((await call('WhoAmI')).json['UserId'])
  const ask = async (id: string, name: string): Promise<unknown> => {
    const bound = `Microsoft.Dynamics.CRM.RetrieveUserPrivilegeByPrivilegeName(PrivilegeName='${name}')`
    const { status, json } = await call(`systemusers(${id})/${bound}`)
    return status === 200 ? (json['RolePrivileges'] as unknown as unknown[]).length : status
  }

  t.equal(await ask(application, 'prvActOnBehalfOfAnotherUser'), 1)
  t.equal(await ask(userId(emulator, 'adele.vance@contoso.com'), 'prvActOnBehalfOfAnotherUser'), 0)
  t.equal(await ask(application, 'nonsense'), 400)
  emulator.switches.mayImpersonate = false
  t.equal(await ask(application, 'prvActOnBehalfOfAnotherUser'), 0)
  t.equal((await call(`systemusers(${application})/RetrieveUserPrivilegeByPrivilegeName`)).status, 400)
  const { json } = await call(`systemusers(${application})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()`)
  t.match(json['RolePrivileges'], [{ Depth: 'Global' }])
  t.equal((await call(`systemusers(${application})/Microsoft.Dynamics.CRM.Nothing()`)).status, 404)
})

t.test('runs operations in the background', async (t) => {
  const { call } = await emulatorFor(t)
  const run = (headers = {}): ReturnType<typeof call> =>
    call('sample_ExportAccounts', { method: 'POST', body: '{}', headers })

  t.match(await run(), { status: 200, json: { ExportedAccounts: 110 } })
  const { status, headers, json } = await run({ prefer: 'respond-async' })
  const location = headers.get('location') ?? ''
  t.equal(status, 202)
  t.match(location, /^https:\/\/contoso\.crm4\.dynamics\.com\/api\/backgroundoperation\/[0-9a-f-]{36}$/)
  t.match(json, { location, backgroundOperationId: headers.get('x-ms-dyn-backgroundoperationid') })
  t.equal(headers.get('preference-applied'), 'respond-async')
  t.match((await call(location)).json, { backgroundOperationStateCode: 3 })
  t.equal((await call(location, { method: 'POST' })).status, 405)
  t.equal((await call(location.replace(/.{8}$/, '00000000'))).status, 404)
})

t.test('serves its metadata', async (t) => {
  const { call } = await emulatorFor(t)

  t.match((await call('')).json['value'], [{ name: 'accounts', kind: 'EntitySet', url: 'accounts' }])
  const metadata = await call('$metadata', { headers: { accept: 'application/xml' } })
  t.equal(metadata.headers.get('content-type'), 'application/xml')
  t.match(metadata.text, /<EntitySet Name="accounts" EntityType="Microsoft.Dynamics.CRM.account"\/>/)
  const { json } = await call('EntityDefinitions?$select=EntitySetName,LogicalName')
  t.match(json['value'], [{ EntitySetName: 'accounts', LogicalName: 'account' }])
  const one = await call("EntityDefinitions(LogicalName='contact')")
  t.match(one.json, { PrimaryIdAttribute: 'contactid' })
  t.match((await call(`EntityDefinitions(${String(one.json['MetadataId'])})`)).json, { LogicalName: 'contact' })
  t.match((await call("EntityDefinitions(LogicalName='contact')/Attributes")).json['value'], [
    { LogicalName: 'contactid' },
  ])
  t.equal((await call("EntityDefinitions(LogicalName='contact')/Nothing")).status, 404)
  t.equal((await call("EntityDefinitions(LogicalName='x')")).status, 404)
  t.equal((await call('EntityDefinitions(LogicalName=1)')).status, 404)
  t.equal((await call('$metadata', { method: 'POST' })).status, 405)
})
