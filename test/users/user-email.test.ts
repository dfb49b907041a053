import fc from 'fast-check'
import t from 'tap'

import { userEmail } from '../../src/users/user-email.ts'

t.test('reads one address', async (t) => {
  t.equal(userEmail(['Host', 'x'], 'x-user-email'), undefined, 'no header')
  t.equal(userEmail(['X-User-Email', " ada.o'neil+x@contoso.com "], 'x-user-email'), "ada.o'neil+x@contoso.com")
  t.equal(
    userEmail(['x-user-email', Buffer.from('jürgen@contoso.com').toString('latin1')], 'x-user-email'),
    'jürgen@contoso.com',
    'UTF-8',
  )
  t.equal(
    userEmail(['x-user-email', 'kai_fabrikam.example#EXT#@contoso.onmicrosoft.com'], 'x-user-email'),
    'kai_fabrikam.example#EXT#@contoso.onmicrosoft.com',
  )
})

for (const [why, ...headers] of [
  ['is empty', 'x-user-email', ''],
  ['is blank', 'x-user-email', '  '],
  ['is there twice', 'x-user-email', 'a@b.c', 'X-USER-EMAIL', 'a@b.c'],
  ['is a list', 'x-user-email', 'a@b.c,d@e.f'],
  ['is another list', 'x-user-email', 'a@b.c;d@e.f'],
  ['has two at signs', 'x-user-email', 'a@b.c@evil.example'],
  ['has none', 'x-user-email', 'ada'],
  ['has nothing before the at sign', 'x-user-email', '@contoso.com'],
  ['has a blank inside', 'x-user-email', 'a@b.c or x'],
  ['has a display name', 'x-user-email', 'Ada <a@b.c>'],
  ['is too long', 'x-user-email', `${'a'.repeat(95)}@b.com`],
  ['has an invisible character', 'x-user-email', Buffer.from('a\u200b@b.c').toString('latin1')],
  ['is not UTF-8', 'x-user-email', 'j\xfcrgen@b.c'],
  ['has its name written with underscores', 'x_user_email', 'a@b.c'],
] as const) {
  t.test(`refuses a header that ${why}`, async (t) => {
    t.throws(() => userEmail(headers, 'x-user-email'), { code: 'GATEWAY_BAD_USER_EMAIL', statusCode: 400 })
  })
}

t.test('a plain address has the same outcome as the complete check', async (t) => {
  const outcome = (value: string): string => {
    try {
      return userEmail(['x-user-email', value], 'x-user-email')!
    } catch (error) {
      return (error as Error).message
    }
  }
  const values = fc.string({ unit: fc.constantFrom(...'aZ0_.+-@@,;<"#% \u00e4'), maxLength: 110 })
  // White space around an address does not matter, and keeps it from being plain.
  fc.assert(
    fc.property(values, (value) => outcome(value) === outcome(` ${value}`)),
    { numRuns: 2000 },
  )
  t.equal(outcome(`${'a'.repeat(94)}@b.com`), `${'a'.repeat(94)}@b.com`)
})
