import t from 'tap'

import { accountId, contactId } from '../../emulator/emulator.ts'
import { type CallResult, emulatorFor, userId } from '../support/started-emulator.ts'

const code = ({ status, json }: CallResult): unknown[] => [status, json['error']?.['code']]
const nobody = '00000000-0000-0000-0000-000000000001'

t.test('creates rows', async (t) => {
  const { emulator, call } = await emulatorFor(t)

  const { status, headers, text } = await call('accounts', { method: 'POST', body: '{"name":"Grüße 東京"}' })
  const made = await call('accounts?$select=name', {
    method: 'POST',
    body: '\uFEFF{"name":"B"}',
    headers: { prefer: 'return=representation, odata.include-annotations="*"' },
  })

  const address = headers.get('odata-entityid') ?? ''
  t.equal(status, 204)
  t.equal(text, '')
  t.match(address, /^https:\/\/contoso\.crm4\.dynamics\.com\/api\/data\/v9\.2\/accounts\([0-9a-f-]{36}\)$/)
  t.equal(headers.get('location'), address)
  t.match((await call(address)).json, { name: 'Grüße 東京', statecode: 0 })
  t.equal(made.status, 201)
  t.equal(made.headers.get('preference-applied'), 'return=representation, odata.include-annotations="*"')
  t.match(made.json, { '@odata.context': /#accounts\(name\)\/\$entity$/, name: 'B' })
  t.equal(emulator.executions, 2)
  t.match(emulator.executed[0], { method: 'POST', entitySet: 'accounts', id: /^[0-9a-f-]{36}$/ })
})

t.test('creates nested rows', async (t) => {
  const { emulator, call } = await emulatorFor(t)

  const { headers } = await call('accounts', {
    method: 'POST',
    body: JSON.stringify({
      name: 'Parent',
      primarycontactid: { firstname: 'Ann', lastname: 'Other' },
      parentaccountid: null,
      contact_customer_accounts: [{ lastname: 'Child' }, 1],
      'ownerid@odata.bind': `/systemusers(${userId(emulator, 'adele.vance@contoso.com')})`,
      revenue: 12.5,
      creditonhold: true,
      industrycode: 1,
      numberofemployees: 3,
      'name@odata.type': '#String',
      versionnumber: 1,
      entityimage: 'AAAA',
      'parentaccountid@odata.bind': null,
    }),
  })
  const { json } = await call(`${headers.get('location')}?$expand=primarycontactid,contact_customer_accounts,ownerid`)

  t.match(json, {
    primarycontactid: { fullname: 'Ann Other' },
    contact_customer_accounts: [{ fullname: 'Child' }],
    ownerid: { fullname: 'Adele Vance' },
    revenue: 12.5,
  })
  t.equal(emulator.executions, 3)
})

t.test('creates rows of tables without an owner', async (t) => {
  const { emulator, call } = await emulatorFor(t)

  const { json } = await call('businessunits', {
    method: 'POST',
    body: '{"name":"North"}',
    headers: { prefer: 'return=representation' },
  })
  const row = emulator.put('roles', { name: 'Put' })

  t.notOk('_ownerid_value' in json)
  t.match(row, { name: 'Put', roleid: String })
  t.throws(() => emulator.rows('nothing'), 'There is no entity set nothing')
  t.throws(() => emulator.put('nothing', {}), 'There is no entity set nothing')
})

t.test('records who changed a row, and on whose behalf', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const adele = userId(emulator, 'adele.vance@contoso.com')

  await call(`accounts(${accountId(0)})`, {
    method: 'PATCH',
    body: '{"name":"New"}',
    headers: { mscrmcallerid: adele },
  })

  t.match(
    emulator.rows('accounts').find((row) => row['accountid'] === accountId(0)),
    {
      _modifiedby_value: adele,
      _modifiedonbehalfby_value: (await call('WhoAmI')).json['UserId'],
    },
  )
})

t.test('refuses bodies that do not fit', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const post = (body: string, headers = {}): Promise<CallResult> => call('accounts', { method: 'POST', body, headers })
  const payload = [400, '0x80048d19']

  for (const body of [
    '{"nothing":1}',
    '{"name":1}',
    '{',
    '[]',
    'x',
    '{"a":1,}',
    '{"a" 1}',
    '[1 2]',
    '"\\x"',
    '{"numberofemployees":1.5}',
    '{"revenue":"1"}',
    '{"creditonhold":1}',
    '{"industrycode":"x"}',
    '{"sample_serial":"x"}',
    '{"_ownerid_value":"x"}',
    '{"sample_file":"x"}',
    '{"accountid":"x"}',
    '{"nothing@odata.bind":"/contacts(1)"}',
    '{"primarycontactid@odata.bind":1}',
    '{"entityimage":"?"}',
    `{"primarycontactid@odata.bind":"/accounts(${accountId(0)})"}`,
    `{"primarycontactid@odata.bind":"/nothing(${nobody})"}`,
    '{"primarycontactid@odata.bind":"/"}',
    '{} x',
    '{"name":"\n"}',
    '{"name":"a',
    '{"name":"a" "b":2}',
    '{"primarycontactid@odata.bind":"/contacts"}',
    '{"primarycontactid":1}',
    '{"contact_customer_accounts":1}',
    `{"primarycontactid@odata.bind":"https://example.com/api/data/v9.2/contacts(${contactId(0)})"}`,
    '',
  ])
    t.same(code(await post(body)), payload, body)
  t.same(code(await call('tasks', { method: 'POST', body: '{"scheduledend":"x"}' })), payload)
  t.same(code(await post(`{"name":"${'x'.repeat(161)}"}`)), [400, '0x80044331'])
  t.same(code(await post('{}', { 'content-type': 'text/plain' })), [415, '0x80060888'])
  t.same(code(await call('accounts', { method: 'POST', body: Buffer.from('{}') })), [415, '0x80060888'])
  t.same(code(await post(`{"primarycontactid@odata.bind":"/contacts(${nobody})"}`)), [404, '0x80040217'])
  t.same(code(await post(`{"accountid":"${accountId(0)}"}`)), [412, '0x80040237'])
  t.equal(emulator.executions, 0)
})

t.test('binds by relative, host-relative and its own absolute addresses', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const row = `contacts(${contactId(9)})`

  for (const address of [
    row,
    `/${row}`,
    `/api/data/v9.2/${row}`,
    `https://contoso.crm4.dynamics.com/api/data/v9.2/${row}`,
    `https://CONTOSO.api.crm4.dynamics.com:443/api/data/v9.2/${row}`,
    `${emulator.origin}/api/data/v9.2/${row}`,
  ]) {
    const { status } = await call(`accounts(${accountId(0)})`, {
      method: 'PATCH',
      body: JSON.stringify({ 'primarycontactid@odata.bind': address }),
    })
    t.equal(status, 204, address)
  }
})

t.test('updates rows, or creates missing ones', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const patch = (key: string, headers = {}): Promise<CallResult> =>
    call(`accounts(${key})`, { method: 'PATCH', body: '{"telephone1":"1"}', headers })

  t.equal((await patch(accountId(0))).status, 204)
  t.match(await patch(accountId(0), { prefer: 'return=representation' }), { status: 200, json: { telephone1: '1' } })
  t.match((await patch(nobody)).headers.get('location'), `accounts(${nobody})`)
  t.equal((await patch("accountnumber='NEW'")).status, 204)
  t.equal(emulator.rows('accounts').find((row) => row['accountnumber'] === 'NEW')?.['telephone1'], '1')
  t.equal((await patch(accountId(0), { 'if-match': '*' })).status, 204)
  t.same(code(await patch('00000000-0000-0000-0000-000000000002', { 'if-match': '*' })), [404, '0x80040217'])
  t.same(code(await patch("accountnumber='NONE'", { 'if-match': '*' })), [404, '0x80060891'])
  t.same(code(await patch(accountId(0), { 'if-none-match': '*' })), [412, '0x80040237'])
  t.equal((await call(`accounts(${accountId(0)})`, { method: 'PUT', body: '{}' })).status, 204)
})

t.test('checks versions', async (t) => {
  const { call } = await emulatorFor(t)
  const path = `accounts(${accountId(0)})`
  const etag = String((await call(path)).json['@odata.etag'])
  const write = (method: string, version: string): Promise<CallResult> =>
    call(path, { method, body: '{"name":"New"}', headers: { 'if-match': version } })

  t.equal((await write('PATCH', etag)).status, 204)
  t.same(code(await write('PATCH', etag)), [412, '0x80060882'])
  t.same(code(await write('DELETE', etag)), [412, '0x80060882'])
  t.equal((await write('DELETE', '*')).status, 204)
  t.same(code(await write('DELETE', '*')), [404, '0x80040217'])
})

t.test('writes single columns', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const path = `accounts(${accountId(0)})/name`

  t.equal((await call(path, { method: 'PUT', body: '{"value":"Other"}' })).status, 204)
  t.equal((await call(path)).json['value'], 'Other')
  t.same(code(await call(path, { method: 'PUT', body: '{}' })), [400, '0x80048d19'])
  t.equal((await call(path, { method: 'DELETE' })).status, 204)
  t.equal((await call(path)).status, 204)
  t.same(
    emulator.executed.map(({ method }) => method),
    ['PUT', 'DELETE'],
  )
})

t.test('relates rows one to many', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const [account, contact] = [`accounts(${accountId(0)})`, contactId(50)]
  const parent = (): unknown =>
    emulator.rows('contacts').find((row) => row['contactid'] === contact)?.['_parentcustomerid_value']
  const address = `https://contoso.crm4.dynamics.com/api/data/v9.2/contacts(${contact})`
  const ref = (path: string, method: string, id?: string): Promise<CallResult> =>
    call(`${account}/${path}`, { method, ...(id === undefined ? {} : { body: JSON.stringify({ '@odata.id': id }) }) })

  t.equal((await ref('contact_customer_accounts/$ref', 'POST', address)).status, 204)
  t.equal(parent(), accountId(0))
  t.equal((await ref(`contact_customer_accounts/$ref?$id=${encodeURIComponent(address)}`, 'DELETE')).status, 204)
  t.equal(parent(), null)
  t.equal((await ref(`contact_customer_accounts(${contact})/$ref`, 'DELETE')).status, 404)
  t.equal((await ref('primarycontactid/$ref', 'PUT', `contacts(${contact})`)).status, 204)
  t.equal((await ref('primarycontactid/$ref', 'DELETE')).status, 204)
  t.same(code(await ref('contact_customer_accounts/$ref', 'POST', address.replace('contoso', 'evil'))), [
    400,
    '0x80048d19',
  ])
  t.same(code(await ref(`contact_customer_accounts/$ref?$id=${address.replace('contoso', 'evil')}`, 'DELETE')), [
    400,
    '0x80048d19',
  ])
  t.same(code(await ref('contact_customer_accounts/$ref', 'POST', account)), [400, '0x80048d19'])
  t.same(code(await ref('primarycontactid/$ref', 'PUT', account)), [400, '0x80048d19'])
  t.equal((await call(`${account}/primarycontactid/$ref`, { method: 'PUT', body: '{}' })).status, 400)
  t.equal((await ref('contact_customer_accounts/$ref', 'DELETE')).status, 400)
  t.equal((await ref('contact_customer_accounts/$ref', 'PUT', address)).status, 405)
  t.equal((await ref('primarycontactid/$ref', 'POST', address)).status, 405)
  t.equal((await ref('primarycontactid/$ref', 'PATCH')).status, 405)
  t.equal((await ref('nothing/$ref?$id=contacts(1)', 'DELETE')).status, 404)
  t.equal((await ref(`nothing(${contact})/$ref`, 'DELETE')).status, 404)
  t.equal((await ref(`nothing/$ref?$id=${address}`, 'DELETE')).status, 404)
  t.equal((await ref('contact_customer_accounts(name=1)/$ref', 'DELETE')).status, 400)
})

t.test('relates rows many to many', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const [user, role] = [userId(emulator, 'adele.vance@contoso.com'), String(emulator.rows('roles')[0]?.['roleid'])]
  const roles = async (): Promise<string> =>
    (await call(`systemusers(${user})/systemuserroles_association/$count`)).text

  await call(`systemusers(${user})/systemuserroles_association/$ref`, {
    method: 'POST',
    body: `{"@odata.id":"roles(${role})"}`,
  })
  t.equal(await roles(), '2')
  await call(`roles(${role})/systemuserroles_association(${user})/$ref`, { method: 'DELETE' })
  t.equal(await roles(), '1')
})

t.test('reports unexpected errors in full', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  emulator.put('accounts', { accountid: accountId(0), sample_serial: 'x' })

  const { status, json } = await call(`accounts(${accountId(0)})`, {
    headers: { prefer: 'odata.include-annotations="*"' },
  })

  t.same([status, json['error']?.['code']], [500, '0x80040216'])
})
