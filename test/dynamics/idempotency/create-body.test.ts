import t from 'tap'

import { membersOf, withMember } from '../../../src/dynamics/idempotency/create-body.ts'

function inserted(text: string): string {
  const body = Buffer.from(text)
  return withMember(body, membersOf(body, 'accountid'), 'accountid', 'ID').toString()
}

t.test('the key is inserted after the last member, and no other byte changes', async (t) => {
  t.equal(inserted('{"name":"A"}'), '{"name":"A","accountid":"ID"}')
  t.equal(inserted('{}'), '{"accountid":"ID"}')
  t.equal(inserted(' {\r\n} \n'), ' {\r\n"accountid":"ID"} \n')
  t.equal(inserted(`{${' '.repeat(5000)}"a":1}`), `{${' '.repeat(5000)}"a":1,"accountid":"ID"}`)
  t.equal(inserted('{"name":"}","x":"{"}\n'), '{"name":"}","x":"{","accountid":"ID"}\n')
  t.equal(inserted('\uFEFF{"name":"é"}'), '\uFEFF{"name":"é","accountid":"ID"}')
  t.equal(
    inserted('{"@odata.type":"#Microsoft.Dynamics.CRM.account", "big":638751549947120004,"m":100.0000000000}'),
    '{"@odata.type":"#Microsoft.Dynamics.CRM.account", "big":638751549947120004,"m":100.0000000000,"accountid":"ID"}',
  )
})

t.test('refuses anything but a flat object, and a body that already has the primary key', async (t) => {
  const refused = [
    '',
    '[]',
    '[{}]',
    'null',
    '"text"',
    '{"a":1',
    '{"a":1}{}',
    '{"accountid":"11111111-1111-4111-8111-111111111111"}',
    '{"AccountId":null}',
    '{"accountid@odata.bind":"x"}',
    '{"primarycontactid":{"lastname":"A"}}',
    '{"contact_customer_accounts":[]}',
    '{"contacts@odata.bind":["contacts(1)"]}',
  ]
  for (const text of refused) {
    t.throws(() => membersOf(Buffer.from(text), 'accountid'), { code: 'GATEWAY_BAD_IDEMPOTENCY_KEY' }, text)
  }
  t.same(membersOf(Buffer.from('{"a":null,"b@odata.bind":"contacts(1)"}'), 'accountid'), {
    a: null,
    'b@odata.bind': 'contacts(1)',
  })
})
