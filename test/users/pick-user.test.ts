import t from 'tap'

import { pickUser as pick } from '../../src/users/pick-user.ts'
import type { LookupResult } from '../../src/users/pick-user.ts'
import { MAX_ROWS } from '../../src/users/user-query.ts'

const NOBODY = '00000000-0000-0000-0000-000000000000'
const id = (digit: number): string => `${digit}1111111-1111-4111-8111-111111111111`
const row = (digit: number, other: object = {}): object => ({
  systemuserid: id(digit),
  azureactivedirectoryobjectid: id(digit + 1),
  internalemailaddress: 'Ada@Contoso.com',
  isdisabled: false,
  applicationid: null,
  accessmode: 0,
  ...other,
})

const pickUser = (rows: readonly unknown[], email: string, columns = ['internalemailaddress']): LookupResult =>
  pick(rows, { email }, columns)

t.test('takes the one enabled person with the address', async (t) => {
  const found = { systemUserId: id(1), address: 'Ada@Contoso.com', foundBy: 'internalemailaddress' }
  const ada = { user: { ...found, objectId: id(2) } }

  t.same(pickUser([row(1)], 'ada@contoso.com'), ada, 'in whatever letter case')
  t.same(pickUser([row(1), row(3, { isdisabled: true })], 'ada@contoso.com'), ada, 'beside a disabled one')
  t.same(pickUser([row(1), row(3, { applicationid: id(9) })], 'ada@contoso.com'), ada, 'beside an application user')
  t.same(pickUser([row(1, { accessmode: 4 })], 'ada@contoso.com'), ada, 'non-interactive')
  t.same(
    pickUser([row(1, { azureactivedirectoryobjectid: null })], 'ada@contoso.com'),
    { user: found },
    'never synchronised',
  )
  t.same(
    pickUser([row(1, { azureactivedirectoryobjectid: NOBODY })], 'ada@contoso.com'),
    { user: found },
    'with the id of nobody',
  )
})

t.test('refuses everybody else', async (t) => {
  const codes = (rows: unknown[], email = 'ada@contoso.com'): unknown =>
    (pickUser(rows, email).fault as { code?: string }).code

  t.equal(codes([]), 'GATEWAY_USER_UNKNOWN', 'no row')
  t.equal(codes([row(1)], 'a_a@contoso.com'), 'GATEWAY_USER_UNKNOWN', 'a row that only matches by wildcard')
  t.equal(codes([row(1, { internalemailaddress: null })]), 'GATEWAY_USER_UNKNOWN', 'a row without an address')
  t.equal(codes([row(1, { systemuserid: 'x' })]), 'GATEWAY_USER_UNKNOWN', 'a row without an id')
  t.equal(codes([row(1, { systemuserid: NOBODY })]), 'GATEWAY_USER_UNKNOWN', 'a row with the id of nobody')
  t.equal(codes([null, 'x', 3]), 'GATEWAY_USER_UNKNOWN', 'no rows at all')
  t.equal(codes([row(1), row(3)]), 'GATEWAY_USER_AMBIGUOUS', 'two enabled people')
  t.equal(codes([row(1, { isdisabled: true })]), 'GATEWAY_USER_DISABLED', 'a disabled one')
  t.equal(codes([row(1, { applicationid: id(9) })]), 'GATEWAY_USER_NOT_PERSON', 'an application user')
  t.equal(
    codes([row(1, { accessmode: 3 }), row(2, { accessmode: 5 })]),
    'GATEWAY_USER_NOT_PERSON',
    'support user, delegated admin',
  )
})

t.test('treats a row without isdisabled as a broken response', async (t) => {
  for (const isdisabled of [undefined, null, 'false', 0]) {
    t.match(pickUser([row(1, { isdisabled })], 'ada@contoso.com'), { fault: { code: 'GATEWAY_USER_LOOKUP_FAILED' } })
    t.match(pickUser([row(1), row(3, { isdisabled })], 'ada@contoso.com'), {
      fault: { code: 'GATEWAY_USER_LOOKUP_FAILED' },
    })
  }
  t.match(
    pickUser([row(1), row(3, { isdisabled: undefined, internalemailaddress: 'eve@contoso.com' })], 'ada@contoso.com'),
    { user: { systemUserId: id(1) } },
    "somebody else's row does not matter",
  )
})

t.test('the first column that contains the address decides, whatever the others contain', async (t) => {
  const columns = ['internalemailaddress', 'domainname', 'contoso_login']
  const other = { internalemailaddress: 'eve@contoso.com', domainname: 'ADA@contoso.com', contoso_login: null }
  const by = (...rows: object[]): unknown => {
    const { user, fault } = pickUser(rows, 'ada@contoso.com', columns)
    return user === undefined ? (fault as { code?: string }).code : `${user.systemUserId![0]} ${user.foundBy}`
  }

  t.equal(by(row(3, other), row(1)), '1 internalemailaddress')
  t.equal(by(row(3, other)), '3 domainname')
  t.equal(by(row(3, { ...other, domainname: 'x', contoso_login: ' Ada@Contoso.com ' })), '3 contoso_login')
  t.equal(by(row(3, other), row(1), row(5)), 'GATEWAY_USER_AMBIGUOUS', 'ambiguous in the first')
  t.equal(by(row(3, other), row(1, { isdisabled: true })), 'GATEWAY_USER_DISABLED', 'disabled in the first')
  t.equal(by(row(3, other), row(1, { applicationid: id(9) })), 'GATEWAY_USER_NOT_PERSON', 'an application in the first')
  t.equal(by(row(3, other), row(1, { isdisabled: null })), 'GATEWAY_USER_LOOKUP_FAILED', 'an unclear row in the first')
  t.equal(by(row(3, other), row(5, other)), 'GATEWAY_USER_AMBIGUOUS', 'ambiguous in the second')
  t.equal(pickUser([row(3, other)], 'ada@contoso.com', columns).user?.address, 'eve@contoso.com')
})

t.test('takes the one enabled person with the object id', async (t) => {
  const byId = (...rows: object[]): unknown => {
    const { user, fault } = pick(rows, { objectId: id(2) }, ['internalemailaddress'])
    return user ?? (fault as { code?: string }).code
  }

  t.match(byId(row(1)), { systemUserId: id(1), objectId: id(2), foundBy: 'azureactivedirectoryobjectid' })
  t.equal(byId(row(3)), 'GATEWAY_USER_UNKNOWN')
  t.equal(byId(row(1, { azureactivedirectoryobjectid: null })), 'GATEWAY_USER_UNKNOWN')
  t.equal(byId(row(1), row(5, { azureactivedirectoryobjectid: id(2) })), 'GATEWAY_USER_AMBIGUOUS')
  t.equal(byId(row(1, { isdisabled: true })), 'GATEWAY_USER_DISABLED')
  t.equal(byId(row(1, { accessmode: 3 })), 'GATEWAY_USER_NOT_PERSON')
})

t.test('more rows than a lookup reads make every user ambiguous', async (t) => {
  const rows = [row(1), ...Array.from({ length: MAX_ROWS - 1 }, () => row(3, { isdisabled: true }))]
  t.match(pickUser(rows, 'ada@contoso.com'), { fault: { code: 'GATEWAY_USER_AMBIGUOUS' } })
  t.match(pickUser(rows.slice(1), 'ada@contoso.com'), { fault: { code: 'GATEWAY_USER_DISABLED' } })
})
