import t from 'tap'

import authenticate from '../../src/callers/authenticate.ts'
import enforceRules from '../../src/rules/enforce.ts'
import impersonate from '../../src/users/impersonate.ts'
import { callersFixture } from '../support/callers-fixture.ts'
import { get, rawRequest } from '../support/raw-http.ts'

t.test('a caller whose token names the user may not name another, by address or by id', async (t) => {
  const { server, passed } = await callersFixture(t, {}, (app, { anybody, targets: [target] }) => {
    const caller = {
      name: 'portal',
      policy: { ...anybody, callerIds: 'allow' as const },
      user: { objectId: '11111111-2222-4333-8444-555555555555' },
    }
    const directory = {
      find: () => t.fail('nobody is looked up') as never,
      cached: () => ({ users: 0, unknown: 0 }),
    }
    app.register(authenticate, { identify: () => ({ caller }) })
    app.register(enforceRules, { target: target!, prefix: '', log: { warn: () => undefined, debug: () => undefined } })
    app.register(impersonate, { target: target!, directory })
  })

  for (const line of [
    'X-User-Email: ada@contoso.com',
    'CallerObjectId: 99999999-9999-4999-8999-999999999999',
    'MSCRMCallerID: 99999999-9999-4999-8999-999999999999',
  ]) {
    t.match(
      await rawRequest(server, get('/WhoAmI', line)),
      { status: 400, code: 'GATEWAY_BAD_REQUEST', body: /comes from the caller's token/ },
      line,
    )
  }
  t.same(passed, [])
  t.equal((await rawRequest(server, get('/WhoAmI'))).status, 200)
})

t.test('the user of a token is looked up by address, or is a person whose token is exchanged', async (t) => {
  const asked: unknown[] = []
  let user: object = { email: 'ada@contoso.com' }
  const { server } = await callersFixture(t, {}, (app, { anybody, targets: [target] }) => {
    const found = { objectId: '11111111-2222-4333-8444-555555555555' }
    const directory = {
      find: (named: unknown) => (asked.push(named), found) as never,
      cached: () => ({ users: 0, unknown: 0 }),
    }
    app.register(authenticate, { identify: () => ({ caller: { name: 'portal', policy: anybody, user } as never }) })
    app.register(enforceRules, { target: target!, prefix: '', log: { warn: () => undefined, debug: () => undefined } })
    app.register(impersonate, { target: target!, directory })
  })
  t.equal((await rawRequest(server, get('/WhoAmI'))).status, 200)
  t.match(JSON.stringify(asked), /ada@contoso\.com/)
  user = { onBehalfOf: { objectId: '1', tenantId: '2', expires: Date.now() + 60_000 }, mayNameOthers: false }
  t.match(await rawRequest(server, get('/WhoAmI')), { status: 403, body: /cannot exchange tokens of people/ })
})
