import t from 'tap'

import { mayActAs, mayActAsFound, mayName } from '../../src/users/may-act-as.ts'

t.test('a caller may name only listed users', (t) => {
  t.ok(mayActAs({ users: ['*'] }, 'ada@contoso.com'))
  t.ok(mayActAs({ users: ['ada@contoso.com'] }, 'Ada@Contoso.com'))
  t.ok(mayActAs({ users: ['grace@contoso.com', '@fabrikam.com'] }, 'bob@FABRIKAM.com'))
  t.notOk(mayActAs({ users: [] }, 'ada@contoso.com'))
  t.notOk(mayActAs({ users: ['ada@contoso.com'] }, 'bob@contoso.com'))
  t.end()
})

t.test('a domain is the complete domain of an address with one @', (t) => {
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
    t.notOk(mayActAs({ users: ['@contoso.com'] }, email), JSON.stringify(email))
  t.notOk(mayActAs({ users: ['ken@contoso.com'] }, '\u212aen@contoso.com'), 'a Kelvin sign is not a k')
  for (const email of ['a@b@c', '', 'x', '@x'])
    t.notOk(mayActAs({ users: ['*'] }, email), 'an empty address matches nobody')
  t.end()
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
