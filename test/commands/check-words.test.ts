import t from 'tap'

import { explainLookup } from '../../src/commands/check/connectivity.ts'
import { explainExchange } from '../../src/commands/check/exchange-faults.ts'
import { day, nameOf } from '../../src/commands/check/presented-certificate.ts'
import { emulatedFault } from '../../src/commands/command.ts'
import { ownScopeOf } from '../../src/commands/people-consents.ts'
import { AuthorityFailure } from '../../src/credentials/failure.ts'
import { UserSignInRequired } from '../../src/errors.ts'

t.test('a temporary DNS failure is distinguished from an unknown host', async (t) => {
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

t.test('a refusal by Entra without an AADSTS number is reported by its error code', async (t) => {
  const cause = new AuthorityFailure({ what: 'x.', why: 'y.', todo: 'z.' }, true, { error: 'interaction_required' })
  const context = { scope: 'api://a/.default', consentUrl: 'https://login.example/consent' }
  t.match(explainExchange(new UserSignInRequired({ cause }), context), { what: /interaction_required/ })
})

t.test('the emulated fault is accepted with or without the prefix AADSTS', async (t) => {
  t.equal(emulatedFault('AADSTS7000222', 'fault'), 7000222)
  t.equal(emulatedFault('7000222', 'fault'), 7000222)
  t.equal(emulatedFault('maintenance', 'fault'), 'maintenance')
})

t.test('without known scopes, an app requests /.default', async (t) => {
  t.equal(ownScopeOf('a-client', undefined), 'api://a-client/.default')
})
