import t from 'tap'

import { pickUser } from '../../src/users/pick-user.ts'

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

t.test('takes the one enabled person with the address', async (t) => {
  const ada = { user: { systemUserId: id(1), objectId: id(2) } }

  t.same(pickUser([row(1)], 'ada@contoso.com'), ada, 'in whatever letter case')
  t.same(pickUser([row(1), row(3, { isdisabled: true })], 'ada@contoso.com'), ada, 'beside a disabled one')
  t.same(pickUser([row(1), row(3, { applicationid: id(9) })], 'ada@contoso.com'), ada, 'beside an application user')
  t.same(pickUser([row(1, { accessmode: 4 })], 'ada@contoso.com'), ada, 'non-interactive')
  t.same(
    pickUser([row(1, { azureactivedirectoryobjectid: null })], 'ada@contoso.com'),
    { user: { systemUserId: id(1) } },
    'never synchronised',
  )
  t.same(
    pickUser([row(1, { azureactivedirectoryobjectid: NOBODY })], 'ada@contoso.com'),
    { user: { systemUserId: id(1) } },
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

t.test('takes a row that does not say whether its user is disabled for a broken answer', async (t) => {
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
