import { METHODS } from 'node:http'

import t from 'tap'

import { accountId, contactId } from '../../emulator/emulator.ts'
import { type CallResult, caller, type Json, root, emulatorFor, userId } from '../support/started-emulator.ts'

const names = ({ json }: CallResult, column: string): unknown[] =>
  (json['value'] as unknown as Json[]).map((row) => row[column])

t.test('filters as Dataverse does', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const count = async (filter: string, set = 'accounts'): Promise<unknown> => {
    const { status, json } = await call(`${set}?$filter=${encodeURIComponent(filter)}&$count=true&$top=1`)
    return status === 200 ? json['@odata.count'] : json['error']?.['code']
  }
  const id = accountId(3)
  const table: readonly (readonly [string, unknown])[] = [
    ["name eq 'ALPINE traders'", 1],
    ["name ne 'Alpine Traders'", 109],
    ["accountnumber eq 'O''Hara & Söhne'", 1],
    [`accountid eq ${id}`, 1],
    [`accountid eq '${id.toUpperCase()}'`, 1],
    [`not (accountid eq ${id})`, 109],
    [`accountid eq ${id} or accountid eq ${accountId(4)} or accountid eq ${accountId(5)} and name eq null`, 2],
    ['creditlimit eq null', 82],
    ['creditlimit ne null', 28],
    ['creditlimit gt 10000', 28],
    ['creditlimit ge 10000.5 and creditlimit le 10000.5', 28],
    ['creditlimit lt 10000', 0],
    ['revenue gt null', 0],
    ['creditonhold eq true', 13],
    ['creditonhold eq false and name ne null', 97],
    ['sample_serial gt 9007199254741000', 102],
    ['sample_serial eq 9007199254740993', 1],
    ['numberofemployees ge 100', 83],
    ['createdon ge 2025-01-05T00:00:00Z and createdon lt 2025-01-07', 2],
    ["contains(name,'traders')", 22],
    ["startswith(name,'Alpine') and endswith(name,'Vineyard')", 1],
    ["contains(name,'traders') eq false", 88],
    ["contains(name,'traders') eq true", 22],
    ["startswith(name,'A%e T_aders')", 1],
    ["contains(name,'[AB]lpine')", 5],
    ["contains(description,'(')", 11],
    ["startswith(tolower(name),'alpine')", 5],
    ["primarycontactid/fullname eq 'Yvonne McKay'", 1],
    ['primarycontactid/fullname eq null', 10],
    [`_primarycontactid_value eq ${contactId(0)}`, 1],
    ["contact_customer_accounts/any(c:c/firstname eq 'Yvonne')", 7],
    ["contact_customer_accounts/all(c:c/firstname eq 'Yvonne')", 5],
    ['contact_customer_accounts/any()', 110],
    [`Microsoft.Dynamics.CRM.In(PropertyName='accountid',PropertyValues=['${id}','${accountId(1)}'])`, 2],
    ["Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues='Alpine Traders')", 1],
    ["telephone1 gt '+31 20 555 2'", 10],
    ["telephone1 lt '+31 20 555 101'", 1],
    ["revenue eq '25000'", 7],
    ["'25000' eq revenue", 7],
    ['contains(name,description)', 99],
    ["Microsoft.Dynamics.CRM.In(PropertyName='description',PropertyValues=['x'])", 0],
    ["Microsoft.Dynamics.CRM.In(PropertyValues=['x'])", '0x80060888'],
    ["Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=[", '0x80060888'],
    ["name eq 'O'Neil'", '0x80060888'],
    ["name eq 'x", '0x80060888'],
    ['nothing eq 1', '0x80060888'],
    ['primarycontactid/nothing eq 1', '0x80060888'],
    ['nothing/fullname eq 1', '0x80060888'],
    ["nothing/any(c:c/firstname eq 'x')", '0x80060888'],
    ['name eq', '0x80060888'],
    ['name', '0x80060888'],
    ['('.repeat(8000), '0x80060888'],
    ['not '.repeat(1000), '0x80060888'],
    ["name like 'x'", '0x80060888'],
    ["name eq 'x' name", '0x80060888'],
    ['name eq )', '0x80060888'],
    ["(name eq 'x'", '0x80060888'],
    ['name eq #', '0x80060888'],
    ['length(name) eq 3', '0x80060888'],
    ["contains(name,'x') eq 1", '0x80060888'],
    ["name 'x'", '0x80060888'],
  ]

  for (const [filter, expected] of table) t.equal(await count(filter), expected, filter)
  t.equal(await count("internalemailaddress eq 'isaiah_langer@contoso.com'", 'systemusers'), 1)
  emulator.switches.wildcardsInEquals = true
  t.equal(await count("internalemailaddress eq 'isaiah_langer@contoso.com'", 'systemusers'), 2)
})

t.test('takes filter values from parameter aliases', async (t) => {
  const { call } = await emulatorFor(t)

  t.same(
    names(await call("accounts?$select=name&$filter=name eq @n and revenue gt @m&@n='Alpine Traders'&@m=1"), 'name'),
    ['Alpine Traders'],
  )
  t.same(names(await call('accounts?$select=name&$filter=name eq @n'), 'name'), [])
})

t.test('selects, orders and counts', async (t) => {
  const { emulator, call } = await emulatorFor(t)

  const query = '$select=name,primarycontactid&$orderby=numberofemployees desc,name&$top=2&$count=true'

  const { json } = await call(`accounts?${query}`)
  t.equal(json['@odata.count'], 110)
  t.same(Object.keys(json['value']?.[0] ?? {}), ['@odata.etag', 'name', '_primarycontactid_value', 'accountid'])
  t.same(
    names(
      await call("systemusers?$select=fullname&$filter=startswith(fullname,'Me')&$orderby=fullname asc"),
      'fullname',
    ),
    ['Megan Bowen', 'Megan Bowen'],
  )
  t.equal((await call('accounts/$count')).text, '110')
  t.equal((await call("accounts/$count?$filter=name eq 'Alpine Traders'")).text, '1')
  emulator.fill('accounts', 5000)
  t.equal((await call('accounts?$count=true&$top=1')).json['@odata.count'], 5000)
  t.equal((await call('accounts?$select=*&$top=0')).text.includes('"value":[]'), true)
  t.equal(
    (await call('accounts?$orderby=creditlimit&$select=creditlimit&$top=1')).json['value']?.[0]?.['creditlimit'],
    null,
  )
})

t.test('refuses query options it does not understand', async (t) => {
  const { call } = await emulatorFor(t)

  for (const query of [
    '$select=nothing',
    '$orderby=nothing',
    '$orderby=name up',
    '$orderby=name asc x',
    '$top=x',
    '$top=-1',
    '$count=yes',
    '$skip=1',
    '$foo=1',
    '$expand=nothing',
    '$expand=primarycontactid($select)',
    '$expand=primarycontactid($select=nothing)',
    '$select=name&$select=name',
    '$expand=(',
  ]) {
    const { status, json } = await call(`accounts?${query}`)
    t.same([status, json['error']?.['code']], [400, '0x80060888'], query)
  }
  for (const query of ['$apply=aggregate($count as c)', 'userQuery=1'])
    t.equal((await call(`accounts?${query}`)).status, 501)
  t.equal((await call('accounts?tag=mine&$count=false&x&$orderby=')).status, 200)
})

t.test('expands', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  emulator.switches.pageSize = 2
  const expand =
    'primarycontactid($select=fullname;$expand=parentcustomerid_account($select=name)),' +
    'Account_Tasks($select=subject;$top=3;$orderby=subject)'

  const { json } = await call(`accounts?$select=name&$expand=${expand}`, { headers: { prefer: 'odata.maxpagesize=2' } })
  const row = json['value']?.[0]
  const next = await call(String(row?.['Account_Tasks@odata.nextLink']))
  const none = await call(`accounts(${accountId(105)})?$select=name&$expand=primarycontactid,contact_customer_accounts`)

  t.match(row?.['primarycontactid'], { fullname: 'Yvonne McKay', parentcustomerid_account: { name: 'Alpine Traders' } })
  t.equal((row?.['Account_Tasks'] as unknown as unknown[] | undefined)?.length, 2)
  t.equal(json['@odata.context'], `${root}$metadata#accounts(name,primarycontactid(fullname),Account_Tasks(subject))`)
  t.equal((next.json['value'] as unknown as unknown[]).length, 1)
  t.match(none.json, { primarycontactid: null, contact_customer_accounts: [] })
})

t.test('adds annotations on request', async (t) => {
  const { call } = await emulatorFor(t)
  const ask = async (annotations: string, query = ''): Promise<Json> =>
    (await call(`accounts${query}`, { headers: { prefer: `odata.include-annotations="${annotations}"` } })).json

  const all = await ask('*', '?$top=2&$count=true')
  t.equal(all['value']?.[1]?.['creditonhold@OData.Community.Display.V1.FormattedValue'], 'No')
  t.match(all['value']?.[0], {
    'creditonhold@OData.Community.Display.V1.FormattedValue': 'Yes',
    'industrycode@OData.Community.Display.V1.FormattedValue': 'Accounting',
    'revenue@OData.Community.Display.V1.FormattedValue': '€25,000.00',
    'createdon@OData.Community.Display.V1.FormattedValue': String,
    'numberofemployees@OData.Community.Display.V1.FormattedValue': '3',
    'sample_serial@OData.Community.Display.V1.FormattedValue': '9,007,199,254,740,993',
    '_primarycontactid_value@OData.Community.Display.V1.FormattedValue': 'Yvonne McKay',
    '_primarycontactid_value@Microsoft.Dynamics.CRM.lookuplogicalname': 'contact',
    '_primarycontactid_value@Microsoft.Dynamics.CRM.associatednavigationproperty': 'primarycontactid',
  })
  t.equal(all['@Microsoft.Dynamics.CRM.totalrecordcount'], 110)
  const some = await ask('OData.Community.Display.V1.FormattedValue,Microsoft.Dynamics.CRM.lookup*', '?$top=1')
  t.equal(some['value']?.[0]?.['_primarycontactid_value@Microsoft.Dynamics.CRM.lookuplogicalname'], 'contact')
  t.notOk(some['value']?.[0]?.['_primarycontactid_value@Microsoft.Dynamics.CRM.associatednavigationproperty'])
  t.equal((await ask('*', '?$top=1'))['@Microsoft.Dynamics.CRM.totalrecordcount'], -1)
})

t.test('writes the requested metadata level', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const address = `https://contoso.crm4.dynamics.com/api/data/v9.2/accounts(${accountId(0)})`

  const full = await call(`accounts(${accountId(0)})`, { headers: { accept: 'application/json;odata.metadata=full' } })
  const none = await call('accounts?$top=1', { headers: { accept: 'application/json; odata.metadata=none' } })
  const format = await call(`accounts(${accountId(0)})?$select=name&$format=application/json;odata.metadata=none`)
  emulator.put('accounts', {
    accountid: accountId(0),
    _primarycontactid_value: userId(emulator, 'adele.vance@contoso.com'),
  })

  t.match(full.json, {
    '@odata.id': address,
    '@odata.editLink': address,
    '@odata.type': '#Microsoft.Dynamics.CRM.account',
    'accountid@odata.type': '#Guid',
    'primarycontactid@odata.navigationLink': `${address}/primarycontactid`,
    'Account_Tasks@odata.associationLink': `${address}/Account_Tasks/$ref`,
  })
  t.match(full.headers.get('content-type'), 'application/json; odata.metadata=full')
  t.notMatch(none.text, '@odata')
  t.notMatch(format.text, '@odata')
  t.equal(
    (await call(`accounts(${accountId(0)})`, { headers: { prefer: 'odata.include-annotations="*"' } })).status,
    200,
  )
})

t.test('keeps every digit', async (t) => {
  const { emulator, call } = await emulatorFor(t)

  const { text } = await call(`accounts(${accountId(0)})?$select=sample_serial,versionnumber,revenue`)
  await call(`accounts(${accountId(0)})`, { method: 'PATCH', body: '{"sample_serial":9223372036854775807}' })

  t.match(text, /"sample_serial":9007199254740993,"versionnumber":6387515499471\d{5},"revenue":25000\.0000,/)
  t.equal(emulator.rows('accounts')[0]?.['sample_serial'], 9_223_372_036_854_775_807n)
})

t.test('finds rows by alternate keys', async (t) => {
  const { call } = await emulatorFor(t)
  const read = async (key: string): Promise<unknown> => {
    const { status, json } = await call(`accounts(${key})?$select=accountnumber`)
    return status === 200 ? json['accountnumber'] : json['error']?.['code']
  }

  t.equal(await read("accountnumber='A%2FB'"), 'A/B')
  t.equal(await read("accountnumber='o''hara%20%26%20S%C3%B6hne'"), "O'Hara & Söhne")
  t.equal(await read('accountnumber=%27C-1001%27'), 'C-1001')
  t.equal(await read("name='Alpine Traders',address1_city='Amsterdam'"), 'C-1000')
  t.equal(await read(`accountid=${accountId(1)}`), 'C-1001')
  t.equal(await read("accountnumber='none'"), '0x80060891')
  t.equal(await read('accountnumber=@p'), '0x80060891')
  t.equal(await read("accountnumber='A/B'"), '0x80060888')
  t.equal(await read("accountnumber='x"), '0x80060888')
  t.equal(await read("accountnumber='x)'"), '0x80060891')
  t.equal(await read('accountnumber'), '0x80060888')
  t.equal(await read('revenue=1'), '0x80060888')
  t.equal(await read('accountnumber=true'), '0x80060891')
  t.equal(await read('accountnumber=Some.Enum'), '0x80060891')
  t.equal((await call("accounts(accountnumber=@p)?@p='C-1001'")).status, 200)
})

t.test('responds with 304 if the caller has the current version', async (t) => {
  const { call } = await emulatorFor(t)
  const path = `accounts(${accountId(0)})?$select=name`
  const etag = String((await call(path)).json['@odata.etag'])
  const status = async (value: string, query = ''): Promise<number> =>
    (await call(path + query, { headers: { 'if-none-match': value } })).status

  t.equal(await status(etag), 304)
  t.equal(await status('null'), 200)
  t.equal(await status('W/"1"'), 200)
  t.equal(await status(etag, '&$expand=primarycontactid'), 200)
  const annotated = { 'if-none-match': etag, prefer: 'odata.include-annotations="*"' }
  t.equal((await call(path, { headers: annotated })).status, 200)
})

t.test('reads single columns, navigation properties and references', async (t) => {
  const { call } = await emulatorFor(t)
  const row = `accounts(${accountId(0)})`

  t.match((await call(`${row}/name`)).json, { '@odata.context': /\/name$/, value: 'Alpine Traders' })
  t.match((await call(`${row}/revenue`)).text, '"value":25000.0000')
  t.equal((await call(`${row}/name/$value`)).text, 'Alpine Traders')
  t.equal((await call(`accounts(${accountId(1)})/creditlimit`)).status, 204)
  t.match((await call(`${row}/primarycontactid?$select=fullname`)).json, { fullname: 'Yvonne McKay' })
  t.equal((await call(`${row}/primarycontactid/fullname/$value`)).text, 'Yvonne McKay')
  t.equal((await call(`accounts(${accountId(105)})/primarycontactid`)).status, 204)
  t.equal((await call(`accounts(${accountId(105)})/primarycontactid/$ref`)).status, 204)
  t.match((await call(`${row}/Account_Tasks?$select=subject&$top=1`)).json['value'], [{ subject: String }])
  t.equal((await call(`${row}/Account_Tasks/$count`)).text, '5')
  t.match((await call(`${row}/contact_customer_accounts(${contactId(0)})`)).json, { fullname: 'Yvonne McKay' })
  t.equal((await call(`${row}/contact_customer_accounts(${contactId(0)})/fullname/$value`)).text, 'Yvonne McKay')
  t.match((await call(`${row}/primarycontactid/$ref`)).json, {
    '@odata.id': `https://contoso.crm4.dynamics.com/api/data/v9.2/contacts(${contactId(0)})`,
  })
  t.match((await call(`${row}/contact_customer_accounts/$ref`)).json['value'], [
    { '@odata.id': String },
    { '@odata.id': String },
  ])
  for (const [path, method, status] of [
    ['name', 'POST', 405],
    ['nothing', 'GET', 404],
    ['nothing/$ref', 'GET', 404],
    ['Account_Tasks', 'POST', 405],
    ['Account_Tasks/nothing', 'GET', 404],
    ['primarycontactid', 'DELETE', 405],
    ['nothing/$ref', 'POST', 404],
    ['contact_customer_accounts(00000000-0000-0000-0000-000000000001)', 'GET', 404],
    ['', 'POST', 405],
  ] as const)
    t.equal((await call(`${row}/${path}`, { method })).status, status, path)
  t.equal((await call('accounts', { method: 'DELETE' })).status, 405)
  t.equal((await call('Account')).status, 404)
  t.equal((await call('accounts(')).status, 400)
  t.equal((await call(`accounts(${accountId(0)})?$select=nothing`)).status, 400)
  t.equal((await call('accounts(00000000-0000-0000-0000-000000000001)')).json['error']?.['code'], '0x80040217')
})

t.test('follows many-to-many relationships', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const user = userId(emulator, 'adele.vance@contoso.com')

  const roles = await call(`systemusers(${user})/systemuserroles_association?$select=name`)
  const expand = '$expand=systemuserroles_association($select=fullname)'
  const { json } = await call(`roles?$filter=name eq 'Delegate'&${expand}`)

  t.same(names(roles, 'name'), ['Salesperson'])
  t.match(json['value']?.[0]?.['systemuserroles_association'], [{ fullname: '# Dynamics gateway' }])
})

t.test('serves images', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const { json } = await call(`accounts(${accountId(0)})?$select=entityimage_url,entityimage`)
  const image = async (path: string, method = 'GET'): Promise<number> =>
    (await call(`https://contoso.crm4.dynamics.com${path}`, { method })).status

  t.match(json, { entityimage: /^iVBOR/, entityimage_url: /^\/Image\/download\.aspx\?Entity=account&/ })
  t.equal(await image(String(json['entityimage_url'])), 200)
  t.equal(await image(String(json['entityimage_url']), 'POST'), 405)
  t.equal(await image('/Image/download.aspx?Entity=account&Attribute=name'), 404)
  t.equal(await image('/Image/download.aspx'), 404)
  t.notOk('entityimage' in (await call(`accounts(${accountId(0)})`)).json)
  t.equal((await caller(emulator, {})('https://contoso.crm4.dynamics.com/Image/download.aspx')).status, 401)
})

t.test('refuses a query in the body, as Dataverse does', async (t) => {
  const { call } = await emulatorFor(t)
  const init = { body: '$top=1', headers: { 'content-type': 'text/plain' } }

  t.equal((await call('accounts/$query', { ...init, method: 'POST' })).status, 404)
  if (METHODS.includes('QUERY')) t.equal((await call('accounts', { ...init, method: 'QUERY' })).status, 405)
})
