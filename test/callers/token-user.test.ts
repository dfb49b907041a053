import t from 'tap'

import { withUser } from '../../src/callers/token-user.ts'

t.test('a token without a scope is not accepted as the access token of a person', async (t) => {
  const claims = {
    oid: 'aaaaaaaa-0000-4000-8000-000000000001',
    tid: '11111111-1111-1111-1111-111111111111',
    sub: 'a person',
  }
  const caller = { name: 'portal' } as never as Parameters<typeof withUser>[0]
  t.throws(() => withUser(caller, 'on-behalf-of', claims, 0), { message: /send an access token for the gateway/ })
  t.match(withUser(caller, 'on-behalf-of', { ...claims, scp: 'access_as_user' }, 7), {
    user: { onBehalfOf: { objectId: claims.oid, expires: 7 } },
  })
})
