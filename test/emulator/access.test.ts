import t from 'tap'
import { request } from 'undici'

import { tenantId } from '../../emulator/emulator.ts'
import { caller, objectId, root, emulatorFor, userId } from '../support/started-emulator.ts'

t.test('challenges requests without a token, in the words of Dataverse', async (t) => {
  const { emulator } = await emulatorFor(t)

  const { status, headers, text } = await caller(emulator, {})('accounts')

  t.equal(status, 401)
  t.equal(text, '')
  t.equal(
    headers.get('www-authenticate'),
    'Bearer ' +
      `authorization_uri=https://login.microsoftonline.com/${tenantId}/oauth2/authorize, ` +
      'resource_id=https://contoso.crm4.dynamics.com/',
  )
})

t.test('challenges tokens that are malformed, forged, expired, revoked, or for another audience', async (t) => {
  const { emulator } = await emulatorFor(t)
  const good = emulator.token()
  const [head, claims, signature] = good.split('.')
  const foreign = (await emulatorFor(t, { environment: 'https://fabrikam.crm.dynamics.com' })).emulator.token()
  const bad = [
    'x',
    'a.b.c',
    `${head}.${claims}.AAAA`,
    `${head}.${claims}x.${signature}`,
    `${good}, Bearer ${good}`,
    foreign,
  ]
  emulator.tokens.lifetime = -1
  bad.push(emulator.token())

  for (const token of bad) t.equal((await caller(emulator, { authorization: `Bearer ${token}` })('WhoAmI')).status, 401)
  t.equal((await caller(emulator, { authorization: `Basic ${good}` })('WhoAmI')).status, 401)
  t.equal((await caller(emulator, { authorization: `Bearer ${good}` })('WhoAmI')).status, 200)
  emulator.revokeTokens()
  t.match(
    (await caller(emulator, { authorization: `Bearer ${good}` })('WhoAmI')).headers.get('www-authenticate'),
    /^Bearer authorization_uri=/,
  )
  emulator.revokeTokens({ claims: '{"access_token":{}}' })
  const { headers } = await caller(emulator, { authorization: `Bearer ${good}` })('WhoAmI')
  t.match(headers.get('www-authenticate'), /error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="$/)
})

t.test('refuses tokens of Entra that name another environment', async (t) => {
  const { emulator } = await emulatorFor(t)
  const direct = await emulatorFor(t)
  const form = (emulatorOf: typeof emulator): URLSearchParams =>
    new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: emulatorOf.clientId,
      client_secret: emulatorOf.clientSecret,
      scope: `${direct.emulator.origin}/.default`,
    })
  const url = `${direct.emulator.origin}/${tenantId}/oauth2/v2.0/token`

  const answer = await request(url, {
    method: 'POST',
    body: form(emulator).toString(),
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
    },
  })
  const { access_token: token } = (await answer.body.json()) as { access_token: string }

  t.equal((await caller(direct.emulator, { authorization: `Bearer ${token}` })('WhoAmI')).status, 200)
  t.equal((await caller(emulator, { authorization: `Bearer ${token}` })('WhoAmI')).status, 401)
})

t.test('refuses tokens for another resource of the tenant', async (t) => {
  const { emulator } = await emulatorFor(t)
  const answer = await request(`https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/token`, {
    dispatcher: emulator.dispatcher,
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: emulator.clientId,
      client_secret: emulator.clientSecret,
      scope: 'https://graph.microsoft.com/.default',
    }).toString(),
  })
  const { access_token: token } = (await answer.body.json()) as { access_token: string }

  t.equal((await caller(emulator, { authorization: `Bearer ${token}` })('WhoAmI')).status, 401)
})

t.test('names the host that was called in the URLs of its answers', async (t) => {
  const { emulator, call } = await emulatorFor(t)

  for (const origin of [
    'https://contoso.crm4.dynamics.com',
    'https://contoso.api.crm4.dynamics.com',
    emulator.origin,
    emulator.origin.replace('127.0.0.1', 'localhost'),
  ]) {
    const { json } = await call(`${origin}/api/data/v9.1/WhoAmI`)
    t.equal(json['@odata.context'], `${origin}/api/data/v9.1/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse`)
  }
})

t.test('refuses connections to other hosts', async (t) => {
  const { emulator } = await emulatorFor(t)

  await t.rejects(request('https://example.com/', { dispatcher: emulator.dispatcher }), { code: 'ECONNREFUSED' })
  await t.rejects(request('https://contoso.crm4.dynamics.com:8443/', { dispatcher: emulator.dispatcher }))
  for (const host of ['example.com', 'contoso.crm4.dynamics.com:8443', '']) {
    const { statusCode } = await request(`${emulator.origin}/api/data/v9.2/WhoAmI`, { headers: { host } })
    t.equal(statusCode, 400, host)
  }
})

t.test('can have any environment name', async (t) => {
  const { emulator, call } = await emulatorFor(t, { environment: 'https://crm.example.org' })

  t.equal((await call('https://crm.example.org/api/data/v9.2/WhoAmI')).status, 200)
  t.equal(emulator.environment, 'https://crm.example.org')
})

t.test('serves other clouds under their own authority', async (t) => {
  for (const [environment, authority] of [
    ['https://contoso.crm.microsoftdynamics.us', 'https://login.microsoftonline.us'],
    ['https://contoso.crm.dynamics.cn', 'https://login.partner.microsoftonline.cn'],
    ['https://contoso.crm9.dynamics.com', 'https://login.microsoftonline.com'],
  ]) {
    const { emulator, call } = await emulatorFor(t, { environment: environment ?? '' })
    const { status } = await call(`${authority}/${tenantId}/v2.0/.well-known/openid-configuration`)
    t.equal(status, 200)
    t.equal(emulator.environment, environment)
    t.equal((await call(`${environment?.replace('.crm', '.api.crm')}/api/data/v9.2/WhoAmI`)).status, 200)
  }
})

t.test('serves HTTPS with a certificate of its own', async (t) => {
  const { generate } = await import('selfsigned')
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], { keySize: 2048 })
  const { emulator, call } = await emulatorFor(t, { tls: { key, cert } })

  t.match(emulator.origin, /^https:/)
  t.equal((await call('WhoAmI')).status, 200)
})

t.test('refuses applications without an application user', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const answers: Record<string, unknown> = {}

  for (const applicationUser of ['missing', 'disabled', 'without roles'] as const) {
    emulator.switches.applicationUser = applicationUser
    const { status, json } = await call('WhoAmI')
    answers[applicationUser] = [status, json['error']?.['code']]
  }
  emulator.switches.applicationUser = 'present'
  emulator.switches.organization = 'disabled'
  const { status, json } = await call('WhoAmI')

  t.same(answers, {
    missing: [403, '0x80072560'],
    disabled: [400, '0x80040225'],
    'without roles': [403, '0x80042F09'],
  })
  t.same([status, json['error']?.['code']], [403, '0x8004A104'])
})

t.test('runs requests of a signed-in person as that person', async (t) => {
  const { emulator } = await emulatorFor(t)

  const { json } = await caller(emulator, { authorization: `Bearer ${emulator.token('lee.gu@contoso.com')}` })('WhoAmI')
  const known = await caller(emulator, { authorization: `Bearer ${emulator.token('Lee.Gu@Contoso.com')}` })('WhoAmI')
  const leaver = await caller(emulator, { authorization: `Bearer ${emulator.token('nestor.wilke@contoso.com')}` })(
    'WhoAmI',
  )

  t.equal(json['error']?.['code'], '0x80072560', 'a malformed id')
  t.equal(known.json['UserId'], userId(emulator, 'Lee.Gu@Contoso.com'))
  t.equal(leaver.json['error']?.['code'], '0x80040225')
})

t.test('runs requests as the user whose id they carry', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const adele = userId(emulator, 'adele.vance@contoso.com')
  const who = async (headers: Record<string, string>): Promise<unknown> =>
    (await call('WhoAmI', { headers })).json['UserId']

  t.equal(await who({ CallerObjectId: objectId(emulator, 'adele.vance@contoso.com').toUpperCase() }), adele)
  t.equal(await who({ mscrmcallerid: adele }), adele)
  t.equal(await who({ MSCRMCallerObjectID: objectId(emulator, 'adele.vance@contoso.com') }), adele)
})

t.test('records who created a row, and on whose behalf', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const adele = userId(emulator, 'adele.vance@contoso.com')
  const application = (await call('WhoAmI')).json['UserId']
  const create = async (headers: Record<string, string>): Promise<unknown> =>
    (
      await call('accounts', {
        method: 'POST',
        body: '{"name":"A"}',
        headers: { prefer: 'return=representation', ...headers },
      })
    ).json

  t.match(await create({}), {
    _createdby_value: application,
    _createdonbehalfby_value: null,
    _ownerid_value: application,
  })
  t.match(await create({ MSCRMCallerID: adele }), {
    _createdby_value: adele,
    _createdonbehalfby_value: application,
    _ownerid_value: adele,
    _owninguser_value: adele,
  })
  t.match(await create({ MSCRMCallerID: String(application) }), {
    _createdby_value: application,
    _createdonbehalfby_value: null,
  })
})

t.test('runs requests with an unknown id as the application user by default', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const application = (await call('WhoAmI')).json['UserId']
  const headers = { CallerObjectId: userId(emulator, 'adele.vance@contoso.com') }

  t.equal((await call('WhoAmI', { headers })).json['UserId'], application)
  emulator.switches.unknownCaller = 'forbidden'
  t.equal((await call('WhoAmI', { headers })).status, 403)
  emulator.switches.unknownCaller = 'not found'
  t.equal((await call('WhoAmI', { headers })).status, 404)
})

t.test('refuses disabled users, malformed ids, two ids, and applications without the privilege', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const adele = userId(emulator, 'adele.vance@contoso.com')
  const refused = async (headers: Record<string, string>): Promise<unknown> => {
    const { status, json } = await call('WhoAmI', { headers })
    return [status, json['error']?.['code']]
  }

  t.same(await refused({ MSCRMCallerID: userId(emulator, 'nestor.wilke@contoso.com') }), [400, '0x80040225'])
  t.same(await refused({ MSCRMCallerID: 'adele' }), [400, '0x80040203'])
  t.same(await refused({ MSCRMCallerID: adele, CallerObjectId: adele }), [400, '0x80040203'])
  emulator.switches.mayImpersonate = false
  t.same(await refused({ MSCRMCallerID: adele }), [403, '0x8004a110'])
})

t.test('enforces the privileges of users', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const headers = { MSCRMCallerID: userId(emulator, 'enrico.cattaneo@contoso.com') }

  const { status, json } = await call('accounts', { method: 'POST', body: '{}', headers })

  t.same([status, json['error']?.['code']], [403, '0x80040220'])
  t.match(json['error']?.['message'], /prvCreateAccount/)
  emulator.switches.mayReadUsers = false
  t.match((await call('systemusers')).json['error']?.['message'], /prvReadUser/)
})

t.test('refuses URLs and methods that Dataverse refuses', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const send = async (target: string, method = 'GET'): Promise<number> => (await call(target, { method })).status

  t.equal(await send(`accounts?$filter=name eq '${'a'.repeat(32_000)}'`), 200)
  t.equal(await send(`accounts?$filter=name eq '${'a'.repeat(33_000)}'`), 400)
  t.equal(await send(`accounts(${'a'.repeat(260)})`), 400)
  t.equal(await send('accounts?$filter=%zz'), 400)
  t.equal(await send('accounts', 'PROPFIND'), 405)
  t.equal(await send('accounts', 'OPTIONS'), 200)
  t.equal(await send('https://contoso.crm4.dynamics.com/XRMServices/2011/Organization.svc'), 404)
  const head = await call('accounts', { method: 'HEAD' })
  t.same([head.status, head.text], [200, ''])
  await t.rejects(request(root, { method: 'CONNECT', dispatcher: emulator.dispatcher }))
})

t.test('lets a header override the method', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const id = String(emulator.rows('accounts')[0]?.['accountid'])

  await call(`accounts(${id})`, { method: 'POST', headers: { 'X-HTTP-Method': 'DELETE' } })

  t.match(emulator.executed, [{ method: 'DELETE', id }])
})

t.test('responds with the headers of Dataverse, including duplicates', async (t) => {
  const { emulator } = await emulatorFor(t)

  const { headers, body } = await request(`${root}WhoAmI`, {
    dispatcher: emulator.dispatcher,
    headers: { authorization: `Bearer ${emulator.token()}` },
  })
  await body.dump()
  emulator.switches.parallelism = undefined
  const { headers: without } = await caller(emulator, { authorization: `Bearer ${emulator.token()}` })('WhoAmI')

  t.equal(headers['x-ms-service-request-id']?.length, 2)
  t.match(headers['set-cookie']?.[0], /^ARRAffinity=[0-9a-f]{64}; domain=contoso\.crm4\.dynamics\.com/)
  t.match(headers, {
    'x-ms-ratelimit-time-remaining-xrm-requests': '1,200.00',
    'x-ms-dop-hint': '48',
    'odata-version': '4.0',
  })
  t.equal(without.get('x-ms-dop-hint'), null)
})

t.test('supports every content coding, and uses only accepted ones', async (t) => {
  const { call } = await emulatorFor(t)
  const coding = async (accepted: string): Promise<unknown> => {
    const { headers, json } = await call('accounts?$top=1', { headers: { 'accept-encoding': accepted } })
    t.ok(json['value'])
    return headers.get('content-encoding')
  }

  t.equal(await coding('br'), 'br')
  t.equal(await coding('deflate'), 'deflate')
  t.equal(await coding('gzip, deflate, br'), 'gzip')
  t.equal(await coding('gzip;q=0, identity'), null)
  t.equal(await coding('*'), 'gzip')
})
