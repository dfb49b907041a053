import t from 'tap'

import { callMsal } from '../../src/credentials/app-token.ts'
import { authorityRequest } from '../../src/credentials/authority-request.ts'
import { delegatedKind } from '../../src/credentials/delegated.ts'
import { endpointsOf } from '../../src/credentials/endpoints.ts'
import { isClaims } from '../../src/credentials/failure.ts'
import { network } from '../../src/credentials/network.ts'
import { claimsOf } from '../../src/credentials/token-claims.ts'
import { redeem } from '../../src/credentials/token-endpoint.ts'
import { tokenStore } from '../../src/credentials/token-store.ts'
import { issuesToken, json, startAuthority } from '../support/authority.ts'

const TENANT = '11111111-1111-1111-1111-111111111111'
const AUTHORITY = { authorityHost: 'https://login.example', tenantId: TENANT }

t.test('an unexpected failure or result of MSAL is never taken for a token', async (t) => {
  const { dispatcher } = await startAuthority(t)
  const msalNetwork = network({ dispatcher, signal: AbortSignal.timeout(5000) })
  await t.rejects(
    callMsal(msalNetwork, () => Promise.reject(new TypeError('x is not a function'))),
    { message: /cannot be used \(unknown\)/ },
  )
  await t.rejects(
    callMsal(msalNetwork, () => Promise.resolve()),
    { message: /The authority answered without a usable access token/ },
  )
})

t.test('an interrupted command rejects with the reason of its signal', async (t) => {
  const { dispatcher } = await startAuthority(t)
  const reason = new Error('interrupted')
  const asked = authorityRequest(
    { method: 'GET', url: new URL('https://login.microsoftonline.com/') },
    { dispatcher, signal: AbortSignal.abort(reason) },
  )
  await t.rejects(asked, reason)
})

t.test('the device code endpoint comes from the metadata', async (t) => {
  const authority = await startAuthority(t)
  const base = `${AUTHORITY.authorityHost}/${TENANT}/oauth2/v2.0`
  const announced = { authorization_endpoint: `${base}/authorize`, token_endpoint: `${base}/token` }
  const options = { dispatcher: authority.dispatcher, signal: AbortSignal.timeout(5000) }
  authority.respond = (_, response) =>
    json(response, 200, { ...announced, device_authorization_endpoint: `${base}/device` })
  t.match(await endpointsOf(AUTHORITY, options), { device: `${base}/device` })
  authority.respond = (_, response) => json(response, 200, announced)
  t.match(await endpointsOf(AUTHORITY, options), { device: `${base}/devicecode` })
})

t.test('the name of a person is the first name claim of the id token', async (t) => {
  const authority = await startAuthority(t)
  const options = { dispatcher: authority.dispatcher, signal: AbortSignal.timeout(5000) }
  for (const [claims, userName] of [
    [{ preferred_username: 'adele@contoso.com', name: 'Adele' }, 'adele@contoso.com'],
    [{ name: 'Adele' }, 'Adele'],
    [{ sub: 'x'.repeat(300) }, 'x'.repeat(200)],
    [{ sub: 7 }, undefined],
  ] as const) {
    const idToken = `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`
    authority.respond = issuesToken(3600, { id_token: idToken })
    t.match(await redeem('https://login.microsoftonline.com/token', {}, options), { userName })
  }
})

t.test('text that is not JSON claims is refused', async (t) => {
  t.equal(isClaims('{'), false)
  t.equal(isClaims('{"access_token":{}}'), true)
  t.same(claimsOf(`e30.${Buffer.from('7').toString('base64url')}.c2ln`), {})
})

t.test('a sign-in is stored in the home folder by default', async (t) => {
  t.match(tokenStore({ ...AUTHORITY, clientId: 'a' }, {}).file, /\.local\/state\/dynamics-gateway\/sign-in-\w+\.json$/)
})

t.test('a confidential app signs people in with its secret', async (t) => {
  const credential = { kind: 'delegated', tenantId: TENANT, clientId: 'a' } as const
  const secret = { reveal: () => 's3cret', source: 'variable AZURE_CLIENT_SECRET' }
  t.equal(delegatedKind.signInSecret!({ ...credential, secret }), 's3cret')
  t.equal(delegatedKind.signInSecret!({ ...credential, secret: undefined }), undefined)
})
