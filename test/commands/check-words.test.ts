import t from 'tap'

import { explainLookup } from '../../src/commands/check/connectivity.ts'
import { explainExchange } from '../../src/commands/check/exchange-faults.ts'
import { day, nameOf } from '../../src/commands/check/presented-certificate.ts'
import { emulatedFault } from '../../src/commands/command.ts'
import { ownScopeOf } from '../../src/commands/people-consents.ts'
import { AuthorityFailure } from '../../src/credentials/failure.ts'
import { UserSignInRequired } from '../../src/errors.ts'

t.test('a name that cannot be resolved although it may exist', async (t) => {
  t.match(explainLookup('a.example', 'EAI_AGAIN'), { what: /resolved \(EAI_AGAIN\)/, why: /DNS server/ })
  t.match(explainLookup('a.example', 'EAI_FAIL'), { what: /\(EAI_FAIL\)/, why: /gives no other reason/ })
  t.match(explainLookup('a.example', 'ENOTFOUND'), { what: /no host named a\.example/ })
})

t.test('certificates are named by their subject', async (t) => {
  t.equal(nameOf(undefined), 'an unnamed authority')
  t.equal(nameOf({ O: 'Contoso' }), 'Contoso')
  t.equal(nameOf({ CN: 'contoso.example', O: 'Contoso' }), 'contoso.example (Contoso)')
  t.equal(day('Nov 27 12:00:00 2026 GMT'), '2026-11-27')
  t.equal(day('some day'), 'some day')
})

t.test("a refusal of Entra's without a number is quoted by its code", async (t) => {
  const cause = new AuthorityFailure({ what: 'x.', why: 'y.', todo: 'z.' }, true, { error: 'interaction_required' })
  const context = { scope: 'api://a/.default', consentUrl: 'https://login.example/consent' }
  t.match(explainExchange(new UserSignInRequired({ cause }), context), { what: /interaction_required/ })
})

t.test('an error of Entra to emulate, with or without AADSTS before its number', async (t) => {
  t.equal(emulatedFault('AADSTS7000222', 'fault'), 7000222)
  t.equal(emulatedFault('7000222', 'fault'), 7000222)
  t.equal(emulatedFault('maintenance', 'fault'), 'maintenance')
})

t.test('an app without known scopes requests all', async (t) => {
  t.equal(ownScopeOf('a-client', undefined), 'api://a-client/.default')
})
