import t from 'tap'

import { mayActAsFound, mayName } from '../../src/users/may-act-as.ts'

t.test('a caller may name only listed users', async (t) => {
  t.equal(mayName({ users: ['*'] }, { email: 'ada@contoso.com' }), 'yes')
  t.equal(mayName({ users: ['ada@contoso.com'] }, { email: 'Ada@Contoso.com' }), 'yes')
  t.equal(mayName({ users: ['grace@contoso.com', '@fabrikam.com'] }, { email: 'bob@FABRIKAM.com' }), 'yes')
  t.equal(mayName({ users: [] }, { email: 'ada@contoso.com' }), 'no')
  t.equal(mayName({ users: ['ada@contoso.com'] }, { email: 'bob@contoso.com' }), 'no')
})

t.test('a domain is the complete domain of an address with one @', async (t) => {
  // oauth2-proxy GHSA-c5c4-8r6x-56w3: an address with two @ passed the domain check.
  for (const email of [
    'ada@evil.example@contoso.com',
    'ada@contoso.com@evil.example',
    'ada@notcontoso.com',
    'ada@x.contoso.com',
    '@contoso.com',
    'contoso.com',
    '',
    'ada@contoso.com.',
    'ada@contoso.com ',
    'a da@contoso.com',
    'ada@contoso.com\n',
  ])
    t.equal(mayName({ users: ['@contoso.com'] }, { email }), 'no', JSON.stringify(email))
  t.equal(mayName({ users: ['ken@contoso.com'] }, { email: '\u212aen@contoso.com' }), 'no', 'a Kelvin sign is not a k')
  for (const email of ['a@b@c', '', 'x', '@x']) {
    t.equal(mayName({ users: [email] }, { email }), 'no', 'what is not an address matches nobody')
  }
})

t.test('a list of addresses also applies to users named by id, and the reverse', async (t) => {
  const objectId = 'aaaaaaaa-0000-4000-8000-000000000001'
  const named = { objectId }
  t.equal(mayName({ users: ['*'] }, named), 'yes')
  t.equal(mayName({ users: [objectId] }, named), 'yes')
  t.equal(mayName({ users: ['@contoso.com'] }, named), 'depends')
  t.equal(mayName({ users: ['aaaaaaaa-0000-4000-8000-000000000002'] }, named), 'no')
  t.equal(mayName({ users: [] }, named), 'no')
  t.equal(mayName({ users: ['@contoso.com', objectId] }, { email: 'ada@contoso.com' }), 'yes')
  t.equal(mayName({ users: [objectId] }, { email: 'ada@contoso.com' }), 'depends')
  t.equal(mayName({ users: ['@contoso.com'] }, { email: 'ada@fabrikam.com' }), 'no')

  const found = { systemUserId: objectId, foundBy: 'internalemailaddress' }
  t.ok(mayActAsFound({ users: [objectId] }, { ...found, objectId: objectId.toUpperCase() }))
  t.ok(mayActAsFound({ users: ['@contoso.com'] }, { ...found, objectId, address: 'ada@contoso.com' }))
  t.notOk(mayActAsFound({ users: ['@contoso.com'] }, { ...found, objectId, address: 'ada@fabrikam.com' }))
  t.notOk(mayActAsFound({ users: ['@contoso.com'] }, { ...found, objectId }), 'a row without an address')
  t.notOk(mayActAsFound({ users: [objectId] }, found), 'a row without an object id')
})
