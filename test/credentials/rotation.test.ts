import t from 'tap'

import type { TokenRequest } from '../../src/credentials/credential.ts'
import { AuthorityFailure, ClaimsDemanded } from '../../src/credentials/failure.ts'
import { withRotation } from '../../src/credentials/rotation.ts'
import { memoryLog } from '../support/authority.ts'

const EXPLANATION = { what: 'No.', why: 'Because.', todo: 'Something.' }
const signal = new AbortController().signal
const forTheApp: TokenRequest = { signal }
const forAPerson: TokenRequest = { signal, onBehalfOf: { assertion: 'a.b.c', scope: 'x' } }

t.test('a refusal of a person does not count against a new credential', async (t) => {
  for (const failure of [
    new AuthorityFailure(EXPLANATION, true, { aadsts: 65001, error: 'invalid_grant' }),
    new AuthorityFailure(EXPLANATION, true, { aadsts: 7000114, error: 'invalid_request' }),
    new AuthorityFailure(EXPLANATION, true, { error: 'interaction_required' }),
    new ClaimsDemanded(new AuthorityFailure(EXPLANATION, true, { aadsts: 50076 }), '{}'),
  ]) {
    const { fetch, log, used } = rotating(failure)
    await fetch(forAPerson)
    await t.rejects(fetch(forAPerson), failure)
    t.same(used, ['old', 'new'], 'the old credential is not tried with the same token')
    t.same(log.lines, [])
  }
})

t.test('a new credential that Entra refuses leaves the old one in use, for people as for the app', async (t) => {
  for (const request of [forAPerson, forTheApp]) {
    for (const facts of [
      { aadsts: 7000215, error: 'invalid_client' },
      { aadsts: 70021, error: 'invalid_request' },
      { code: 'ENOENT' },
    ]) {
      const { fetch, log, used } = rotating(new AuthorityFailure(EXPLANATION, true, facts))
      await fetch(request)
      t.match(await fetch(request), { accessToken: 'old' })
      t.same(used, ['old', 'new', 'old'])
      t.match(log.lines, [{ level: 'error', sentence: /rotation failed/ }])
    }
  }
})

/** A credential that changes after its first use, and whose new version fails. */
function rotating(failure: AuthorityFailure) {
  const log = memoryLog()
  const used: string[] = []
  let identity = 'old'
  const fetch = withRotation(() => {
    const version = identity
    identity = 'new'
    return {
      identity: version,
      fetch: async () => {
        used.push(version)
        if (version === 'new') throw failure
        return { accessToken: version, expiresIn: 3600 }
      },
    }
  }, log)
  return { fetch, log, used }
}
