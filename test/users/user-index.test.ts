import t from 'tap'

import { createUserIndex } from '../../src/users/user-index.ts'

const id = (digit: number): string => `${digit}1111111-1111-4111-8111-111111111111`
const row = (digit: number, other: object = {}): object => ({
  systemuserid: id(digit).toUpperCase(),
  azureactivedirectoryobjectid: id(digit + 1),
  internalemailaddress: ` Ada${digit}@Contoso.com `,
  domainname: `ada${digit}@contoso.com`,
  isdisabled: false,
  applicationid: null,
  accessmode: 0,
  fullname: 'not kept',
  ...other,
})

t.test('finds users by address and by object id; each change replaces the row', (t) => {
  const index = createUserIndex(['internalemailaddress', 'domainname'])
  index.apply([row(1), row(3)])
  t.match(index.find({ email: 'ADA1@contoso.com' }), { systemUserId: id(1).toUpperCase(), objectId: id(2) })
  t.match(index.find({ objectId: id(4) }), { address: 'Ada3@Contoso.com' })

  index.apply([row(1, { internalemailaddress: null, domainname: '' })])
  t.equal(index.find({ email: 'ada1@contoso.com' }), undefined)
  t.match(index.find({ objectId: id(2) }), { systemUserId: id(1).toUpperCase() })
  t.equal(index.size(), 2)

  index.apply([
    { id: id(1), reason: 'deleted' },
    { id: id(9), reason: 'deleted' },
  ])
  t.equal(index.find({ objectId: id(2) }), undefined)
  t.equal(index.size(), 1)
  t.end()
})

t.test('a shared address is ambiguous until the other user is deleted or disabled', (t) => {
  const index = createUserIndex(['internalemailaddress'])
  const shared = { internalemailaddress: 'ada@contoso.com' }
  index.apply([row(1, shared), row(3, shared), row(5, shared)])
  t.equal(index.find({ email: 'ada@contoso.com' }), undefined)
  index.apply([row(3, { ...shared, isdisabled: true })])
  t.equal(index.find({ email: 'ada@contoso.com' }), undefined)
  index.apply([{ id: id(5), reason: 'changed' }])
  t.match(index.find({ email: 'ada@contoso.com' }), { objectId: id(2) })
  index.apply([row(3, { internalemailaddress: 'else@contoso.com' })])
  t.match(index.find({ email: 'ada@contoso.com' }), { objectId: id(2) })
  t.match(index.find({ email: 'else@contoso.com' }), { objectId: id(4) })
  index.apply([row(3, { internalemailaddress: 'else@contoso.com', isdisabled: true })])
  t.equal(index.find({ email: 'else@contoso.com' }), undefined, 'a user who was found before')
  t.end()
})

t.test('a row without an id is an error', (t) => {
  const index = createUserIndex(['internalemailaddress'])
  for (const wrong of [{}, { systemuserid: 'x' }, { id: 7, reason: 'deleted' }, row(1, { systemuserid: undefined })]) {
    t.throws(() => index.apply([wrong]), /has no id/)
  }
  t.end()
})
