import {
  constants,
  createHash,
  createSign,
  generateKeyPairSync,
  type KeyPairKeyObjectResult,
  sign,
  X509Certificate,
} from 'node:crypto'

import t from 'tap'
import { fetch } from 'undici'

import { clientId, clientSecret, type Emulator, tenantId } from '../../emulator/emulator.ts'
import { caller, emulatorFor } from '../support/started-emulator.ts'

const authority = 'https://login.microsoftonline.com'
const scope = 'https://contoso.crm4.dynamics.com/.default'
const app = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret, scope }

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

interface Differently {
  readonly tenant?: string
  readonly headers?: Record<string, string>
  readonly endpoint?: string
}

async function ask(
  { dispatcher }: Emulator,
  form: Readonly<Record<string, string>>,
  { tenant = tenantId, headers = {}, endpoint = 'oauth2/v2.0/token' }: Differently = {},
): Promise<Answer> {
  const response = await fetch(`${authority}/${tenant}/${endpoint}`, {
    dispatcher,
    method: 'POST',
    body: new URLSearchParams(form),
    headers,
  })
  return { status: response.status, body: (await response.json()) as Answer['body'] }
}

interface Visited {
  readonly status: number
  readonly text: string
  readonly location: URLSearchParams
}

async function visit({ dispatcher }: Emulator, path: string, query: Record<string, string>): Promise<Visited> {
  const response = await fetch(`${authority}/${path}?${new URLSearchParams(query).toString()}`, {
    dispatcher,
    redirect: 'manual',
  })
  return {
    status: response.status,
    text: await response.text(),
    location: new URLSearchParams(response.headers.get('location')?.split('?').at(-1)),
  }
}

const codeOf = ({ status, body }: Answer): unknown[] => [status, (body['error_codes'] as number[] | undefined)?.[0]]

function without(name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(app).filter(([each]) => each !== name))
}

t.test('issues a token to the application', async (t) => {
  const { emulator } = await emulatorFor(t, { tokenLifetime: 100 })

  const { status, body } = await ask(emulator, app)
  const claims = JSON.parse(atob(String(body['access_token']).split('.')[1] ?? '')) as Record<string, unknown>

  t.equal(status, 200)
  t.match(body, { token_type: 'Bearer', expires_in: 100, ext_expires_in: 100 })
  t.notOk('refresh_in' in body)
  t.match(claims, { aud: 'https://contoso.crm4.dynamics.com', tid: tenantId, appid: clientId, roles: [] })
  t.equal(Number(claims['exp']) - Number(claims['iat']), 100)
  emulator.tokens.refreshIn = 50
  t.match((await ask(emulator, app, { tenant: 'contoso.onmicrosoft.com' })).body, { refresh_in: 50 })
  t.equal(emulator.tokenRequests.length, 2)
  t.match(emulator.tokenRequests[0], { method: 'POST', status: 200, url: `/${tenantId}/oauth2/v2.0/token` })
})

t.test('uses the audience literally', async (t) => {
  const { emulator } = await emulatorFor(t)

  const { body } = await ask(emulator, { ...app, scope: 'https://contoso.api.crm4.dynamics.com//.default' })

  t.match(atob(String(body['access_token']).split('.')[1] ?? ''), '"aud":"https://contoso.api.crm4.dynamics.com/"')
})

t.test('accepts the secret as HTTP Basic', async (t) => {
  const { emulator } = await emulatorFor(t)
  const basic = (secret: string): Record<string, string> => ({
    authorization: `Basic ${btoa(`${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`)}`,
  })
  const form = { grant_type: 'client_credentials', scope }

  t.same(codeOf(await ask(emulator, form, { headers: { authorization: 'Basic JXp6' } })), [503, 90033])

  t.equal((await ask(emulator, form, { headers: basic(clientSecret) })).status, 200)
  t.same(codeOf(await ask(emulator, form, { headers: basic('x') })), [401, 7000215])
  t.same(codeOf(await ask(emulator, form, { headers: { authorization: 'Basic eA==' } })), [400, 700016])
})

t.test('accepts new secrets and refuses removed ones', async (t) => {
  const { emulator } = await emulatorFor(t)
  emulator.secrets.add('new')
  emulator.secrets.delete(clientSecret)

  t.equal((await ask(emulator, { ...app, client_secret: 'new' })).status, 200)
  t.same(codeOf(await ask(emulator, app)), [401, 7000215])
})

t.test('reports errors with the numbers of Entra', async (t) => {
  const { emulator } = await emulatorFor(t)
  const table: readonly (readonly [Record<string, string>, readonly [number, number], string?])[] = [
    [without('grant_type'), [400, 900144]],
    [without('client_id'), [400, 900144]],
    [without('scope'), [400, 900144]],
    [without('client_secret'), [401, 7000218]],
    [{ ...app, grant_type: 'password' }, [400, 70003]],
    [{ ...app, client_id: tenantId }, [400, 700016]],
    [{ ...app, client_secret: 'x' }, [401, 7000215]],
    [{ ...app, resource: 'x' }, [400, 901002]],
    [{ ...app, scope: 'https://contoso.crm4.dynamics.com/user_impersonation' }, [400, 1002012]],
    [{ ...app, scope: `${scope} https://graph.microsoft.com/.default` }, [400, 28002]],
    [{ ...app, scope: ' ' }, [400, 70011]],
    [{ ...app, scope: 'https://other.crm4.dynamics.com/.default' }, [400, 500011]],
    [app, [400, 90002], '00000000-0000-0000-0000-000000000001'],
    [app, [400, 90002], 'unknown.example'],
    [app, [400, 900023], 'unknown'],
    [app, [400, 50059], 'common'],
    [app, [400, 50059], 'organizations'],
    [{ grant_type: 'authorization_code', client_id: clientId, code: 'x', redirect_uri: 'x' }, [400, 70008]],
    [{ grant_type: 'refresh_token', client_id: clientId, refresh_token: 'x' }, [400, 700082]],
    [{ grant_type: 'device_code', client_id: clientId, code: 'x' }, [400, 70018]],
  ]

  for (const [form, expected, tenant] of table) {
    t.same(codeOf(await ask(emulator, form, tenant === undefined ? {} : { tenant })), expected)
  }
  const { body } = await ask(emulator, without('scope'))
  t.match(body, {
    error: 'invalid_request',
    error_uri: 'https://login.microsoftonline.com/error?code=900144',
    trace_id: String,
    error_description: /^AADSTS900144: The request body must contain the following parameter: 'scope'\. Trace ID: /,
  })
  t.same(codeOf(await ask(emulator, app, { headers: { 'content-type': 'application/json' } })), [400, 900144])
})

t.test('publishes its metadata', async (t) => {
  const { emulator } = await emulatorFor(t)
  const read = async (path: string): Promise<unknown> =>
    (await fetch(`${authority}/${path}`, { dispatcher: emulator.dispatcher })).json()

  t.match(await read(`${tenantId}/v2.0/.well-known/openid-configuration`), {
    issuer: `${authority}/${tenantId}/v2.0`,
    token_endpoint: `${authority}/${tenantId}/oauth2/v2.0/token`,
  })
  t.match(await read('common/v2.0/.well-known/openid-configuration'), { issuer: `${authority}/{tenantid}/v2.0` })
  t.match(
    await read(`common/discovery/instance?authorization_endpoint=${authority}/${tenantId}/oauth2/v2.0/authorize`),
    {
      tenant_discovery_endpoint: `${authority}/${tenantId}/v2.0/.well-known/openid-configuration`,
    },
  )
  t.match(await read('common/discovery/instance'), { 'api-version': '1.1' })
  t.match(await read(`${tenantId}/discovery/v2.0/keys`), { keys: [{ kty: 'RSA', use: 'sig' }] })
  t.equal((await fetch(`${authority}/${tenantId}/oauth2/v2.0/token`, { dispatcher: emulator.dispatcher })).status, 400)
  t.equal((await fetch(`${authority}/`, { dispatcher: emulator.dispatcher })).status, 404)
  t.match(await (await fetch(`${emulator.origin}/${tenantId}/v2.0/.well-known/openid-configuration`)).json(), {
    issuer: `${emulator.origin}/${tenantId}/v2.0`,
  })
})

t.test('checks assertions signed with a certificate', async (t) => {
  const { emulator } = await emulatorFor(t)
  const { generate } = await import('selfsigned')
  const pem = await generate([{ name: 'commonName', value: 'gateway' }], { keySize: 2048 })
  const { raw } = new X509Certificate(pem.cert)
  const thumbprint = (hash: string): string => createHash(hash).update(raw).digest('base64url')
  const now = Math.floor(Date.now() / 1000)
  const good = {
    aud: `${authority}/${tenantId}/oauth2/v2.0/token`,
    iss: clientId,
    sub: clientId,
    exp: now + 300,
    nbf: now,
    jti: '1',
  }
  const jwt = (claims: object, header: Readonly<Record<string, string>>): string => {
    const text = [header, claims].map((each) => Buffer.from(JSON.stringify(each)).toString('base64url')).join('.')
    const pss = { key: pem.private, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
    const signature =
      header['alg'] === 'PS256'
        ? sign('sha256', Buffer.from(text), pss)
        : createSign('sha256').update(text).sign(pem.private)
    return `${text}.${signature.toString('base64url')}`
  }
  const ps256 = { alg: 'PS256', 'x5t#S256': thumbprint('sha256') }
  const present = async (
    assertion: string,
    type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  ): Promise<unknown[]> =>
    codeOf(
      await ask(emulator, { ...without('client_secret'), client_assertion: assertion, client_assertion_type: type }),
    )

  t.same(await present(jwt(good, ps256)), [401, 700027], 'not registered yet')
  emulator.registerCertificate(pem.cert)
  t.same(await present(jwt(good, ps256)), [200, undefined])
  t.same(await present(jwt(good, { alg: 'RS256', x5t: thumbprint('sha1') })), [200, undefined])
  t.same(await present(jwt({ ...good, aud: `${authority}/${tenantId}/v2.0` }, ps256)), [200, undefined])
  t.same(await present(jwt({ ...good, nbf: undefined }, ps256)), [200, undefined])
  t.same(await present(jwt(good, { ...ps256, alg: 'none' })), [401, 700027])
  t.same(await present(jwt(good, { alg: 'PS256' })), [401, 700027])
  t.same(await present(`${jwt(good, ps256).slice(0, -6)}AAAAAA`), [401, 700027])
  t.same(await present(jwt({ ...good, aud: 'https://elsewhere.example' }, ps256)), [401, 700023])
  t.same(await present(jwt({ ...good, sub: tenantId }, ps256)), [401, 700021])
  t.same(await present(jwt({ ...good, exp: now - 400 }, ps256)), [401, 700024])
  t.same(await present(jwt({ ...good, exp: undefined }, ps256)), [401, 700024])
  t.same(await present(jwt({ ...good, nbf: now + 7200 }, ps256)), [401, 700024])
  t.same(await present('x'), [400, 50027])
  emulator.switches.clockAhead = 7_200_000
  t.same(await present(jwt(good, ps256)), [401, 700024], 'the clock of Entra is two hours ahead')
  emulator.switches.clockAhead = 0
  t.same(await present(jwt(good, ps256), 'x'), [400, 900144])
})

t.test('checks assertions of federated issuers', async (t) => {
  const { emulator } = await emulatorFor(t)
  const pair = (): KeyPairKeyObjectResult => generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pemOf = ({ publicKey: key }: KeyPairKeyObjectResult): string =>
    key.export({ type: 'spki', format: 'pem' }).toString()
  const { privateKey, publicKey } = pair()
  const good = {
    iss: 'https://cluster.example',
    sub: 'system:serviceaccount:crm:gateway',
    aud: ['api://AzureADTokenExchange'],
    exp: 9e9,
  }
  const present = async (claims: object): Promise<unknown[]> => {
    const parts = [{ alg: 'ES256' }, claims]
    const text = parts.map((each) => Buffer.from(JSON.stringify(each)).toString('base64url')).join('.')
    const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    return codeOf(
      await ask(emulator, {
        ...without('client_secret'),
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: `${text}.${signature.toString('base64url')}`,
      }),
    )
  }
  const publicKeyPem = pemOf({ privateKey, publicKey })
  const other = pemOf(pair())

  t.same(await present(good), [400, 70021])
  emulator.registerFederatedIssuer({ issuer: good.iss, subject: good.sub, publicKeyPem })
  emulator.registerFederatedIssuer({
    issuer: 'https://ci.example',
    subject: 'x',
    publicKeyPem: other,
    audience: 'mine',
  })
  t.same(await present(good), [200, undefined])
  t.same(await present({ ...good, aud: 'api://AzureADTokenExchange' }), [200, undefined])
  t.same(await present({ ...good, sub: 'other' }), [401, 700213])
  t.same(await present({ ...good, aud: 'other' }), [401, 700213])
  t.same(await present({ ...good, iss: 'https://ci.example', sub: 'x', aud: 'mine' }), [400, 50013])
})

t.test('signs a person in by code with PKCE', async (t) => {
  const { emulator } = await emulatorFor(t)
  const verifier = 'v'.repeat(43)
  const asked = {
    client_id: clientId,
    response_type: 'code',
    redirect_uri: 'http://localhost:33333',
    scope: `${scope} openid offline_access`,
    state: 's&1',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    nonce: 'n',
  }
  const authorize = (differences: Record<string, string> = {}): ReturnType<typeof visit> =>
    visit(emulator, 'organizations/oauth2/v2.0/authorize', { ...asked, ...differences })
  const redeem = (code: string | null, differences: Record<string, string> = {}): Promise<Answer> =>
    ask(emulator, {
      grant_type: 'authorization_code',
      client_id: clientId,
      code: code ?? '',
      redirect_uri: asked.redirect_uri,
      code_verifier: verifier,
      client_info: '1',
      ...differences,
    })

  const { status, location } = await authorize()
  t.equal(status, 302)
  t.equal(location.get('state'), 's&1')
  const { body } = await redeem(location.get('code'))
  t.match(JSON.parse(atob(String(body['id_token']).split('.')[1] ?? '')), {
    nonce: 'n',
    preferred_username: 'adele.vance@contoso.com',
    aud: clientId,
  })
  t.match(JSON.parse(atob(String(body['access_token']).split('.')[1] ?? '')), {
    scp: 'user_impersonation',
    upn: 'adele.vance@contoso.com',
  })
  t.match(JSON.parse(atob(String(body['client_info']))), { utid: tenantId })
  const again = await ask(emulator, {
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: String(body['refresh_token']),
    scope: 'https://contoso.crm4.dynamics.com/user_impersonation',
  })
  t.equal(again.status, 200)
  t.notOk('refresh_token' in again.body)
  emulator.revokeTokens({ refreshTokens: true })
  const late = await ask(emulator, {
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: String(body['refresh_token']),
  })
  t.same(codeOf(late), [400, 700082])
  t.same(codeOf(await redeem(location.get('code'))), [400, 70008], 'a code works once')
  t.same(codeOf(await redeem((await authorize()).location.get('code'), { code_verifier: 'x' })), [400, 70000])
  t.same(
    codeOf(await redeem((await authorize()).location.get('code'), { redirect_uri: 'http://localhost:1' })),
    [400, 70000],
  )
  t.same(
    codeOf(await redeem((await authorize({ scope: 'https://vault.azure.net/.default' })).location.get('code'))),
    [400, 500011],
  )
  t.equal((await redeem((await authorize({ scope: 'openid' })).location.get('code'))).status, 200)
  const posted = await authorize({ response_mode: 'form_post' })
  t.match(posted.text, /<form method="POST" name="hiddenform" action="http:\/\/localhost:33333">/)
  t.match(posted.text, /<input type="hidden" name="code" value="0\.A[\w-]+"\/>/)
  t.match(posted.text, /<input type="hidden" name="state" value="s&amp;1"\/>/)
})

t.test('refuses to sign in where Entra does', async (t) => {
  const { emulator } = await emulatorFor(t)
  const asked = { client_id: clientId, response_type: 'code', redirect_uri: 'https://app.example/back?x=1', scope }
  const authorize = async (differences: Record<string, string> = {}): Promise<unknown> => {
    const { status, text, location } = await visit(emulator, `${tenantId}/oauth2/v2.0/authorize`, {
      ...asked,
      ...differences,
    })
    return status === 302 ? location.get('error') : (/"error_codes":\[(\d+)\]/.exec(text)?.[1] ?? text)
  }

  t.equal(await authorize(), '50011')
  emulator.redirectUris.add(asked.redirect_uri)
  t.equal(await authorize(), null)
  const { location } = await visit(emulator, `${tenantId}/oauth2/v2.0/authorize`, { ...asked, scope: 'openid' })
  const { status } = await ask(emulator, {
    grant_type: 'authorization_code',
    client_id: clientId,
    code: location.get('code') ?? '',
    redirect_uri: asked.redirect_uri,
  })
  t.equal(status, 200, 'a code without PKCE needs no verifier')
  t.equal(await authorize({ response_type: 'token' }), '70003')
  t.equal(await authorize({ code_challenge: 'x' }), '70000')
  t.equal(await authorize({ client_id: 'x' }), '700016')
  emulator.signIn.answer = 'declined'
  t.equal(await authorize(), 'access_denied')
  emulator.signIn.answer = 'waiting'
  t.match(await authorize(), 'Sign in')
})

t.test('signs a person in with a device code', async (t) => {
  const { emulator } = await emulatorFor(t)
  const start = async (): Promise<Record<string, string>> => {
    const { body } = await ask(emulator, { client_id: clientId, scope }, { endpoint: 'oauth2/v2.0/devicecode' })
    t.match(body, {
      interval: 1,
      expires_in: Number,
      verification_uri: 'https://microsoft.com/devicelogin',
      message: String,
      user_code: /^[A-Z0-9]{8}$/,
    })
    return {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      client_id: clientId,
      device_code: String(body['device_code']),
    }
  }

  const device = await start()
  emulator.signIn.answer = 'waiting'
  t.same((await ask(emulator, device)).body['error'], 'authorization_pending')
  emulator.signIn.answer = 'granted'
  emulator.signIn.user = 'nobody@contoso.com'
  t.equal((await ask(emulator, device)).status, 200)
  t.same(codeOf(await ask(emulator, device)), [400, 70018])
  const declined = await start()
  emulator.signIn.answer = 'declined'
  t.same(codeOf(await ask(emulator, declined)), [400, 65004])
  emulator.signIn.deviceLifetime = -1
  t.same((await ask(emulator, await start())).body['error'], 'expired_token')
})

t.test('asks an administrator for consent', async (t) => {
  const { emulator } = await emulatorFor(t)
  const asked = { client_id: clientId, redirect_uri: 'http://localhost:33333/done', state: 's', scope }
  const consent = async (path: string, differences: Record<string, string> = {}): Promise<unknown> =>
    Object.fromEntries((await visit(emulator, path, { ...asked, ...differences })).location)

  t.same(await consent(`${tenantId}/adminconsent`), { admin_consent: 'True', tenant: tenantId, state: 's' })
  t.same(await consent('organizations/v2.0/adminconsent'), {
    admin_consent: 'True',
    tenant: tenantId,
    scope,
    state: 's',
  })
  emulator.signIn.answer = 'declined'
  t.match(await consent(`${tenantId}/adminconsent`), {
    error: 'permission_denied',
    error_description: 'The admin canceled the request',
  })
  t.match(await consent(`${tenantId}/v2.0/adminconsent`), {
    admin_consent: 'True',
    error: 'consent_required',
    error_description: /^AADSTS65004/,
  })
  t.same(await consent('common/adminconsent'), {})
  t.same(await consent(`${tenantId}/adminconsent`, { redirect_uri: 'https://elsewhere.example' }), {})
  const { status } = await visit(emulator, `${tenantId}/adminconsent`, {
    client_id: clientId,
    redirect_uri: 'http://127.0.0.1',
  })
  t.equal(status, 302)
})

t.test("exchanges a person's token for one of the environment", async (t) => {
  const { emulator } = await emulatorFor(t)
  const person = 'adele.vance@contoso.com'
  const asked = {
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    requested_token_use: 'on_behalf_of',
    client_id: clientId,
    client_secret: emulator.clientSecret,
    scope: scope.replace('.default', 'user_impersonation'),
    assertion: emulator.userToken(person),
  }
  const exchange = (differences: Record<string, string>) => ask(emulator, { ...asked, ...differences })

  t.match((await exchange({ scope: 'openid' })).body, { error_codes: [70011] })
  t.match((await exchange({ scope: 'https://a.example/.default https://b.example/.default' })).body, {
    error_codes: [28002],
  })
  const given = await exchange({})
  t.equal(given.status, 200)
  t.match(JSON.parse(Buffer.from(String(given.body['access_token']).split('.')[1]!, 'base64url').toString()), {
    scp: 'user_impersonation',
    upn: person,
  })
  emulator.revokeTokens()
  const late = await caller(emulator, { authorization: `Bearer ${String(given.body['access_token'])}` })('WhoAmI')
  t.equal(late.status, 401, 'an app that takes no claims challenges gets none')
  t.notMatch(late.headers.get('www-authenticate'), /insufficient_claims/)
  const [head, claims] = asked.assertion.split('.')
  for (const [differences, code] of [
    [{ assertion: `${head}.${claims}.c2ln` }, 50013],
    [{ assertion: 'none' }, 50027],
    [{ assertion: emulator.userToken(person, { audience: 'api://other' }) }, 500131],
    [{ assertion: emulator.userToken(person, { expiresIn: -600 }) }, 500133],
    [{ assertion: emulator.userToken(person, { claims: { scp: undefined } }) }, 7000114],
    [{ client_secret: 'wrong' }, 7000215],
    [{ requested_token_use: 'other' }, 70003],
    [{ scope: 'https://contoso.crm4.dynamics.com/other' }, 65001],
    [{ scope: 'https://nowhere.example/.default' }, 500011],
  ] as const) {
    t.equal(codeOf(await exchange(differences))[1], code)
  }
  emulator.onBehalfOf.consent = 'missing'
  t.match((await exchange({})).body, { error: 'invalid_grant', suberror: 'consent_required' })
  emulator.onBehalfOf.consent = 'granted'
  emulator.onBehalfOf.demand = 'c1'
  t.match((await exchange({})).body, { error: 'interaction_required', claims: /"acrs"/ })
  t.equal((await exchange({ assertion: emulator.userToken(person, { claims: { acrs: ['c1'] } }) })).status, 200)
})
