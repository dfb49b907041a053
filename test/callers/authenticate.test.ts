import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

import { SignJWT, UnsecuredJWT, exportJWK } from 'jose'
import type { JWK } from 'jose'
import t from 'tap'
import { Agent } from 'undici'

import { keyHash } from '../../src/callers/api-key.ts'
import authenticate, { knownCallers } from '../../src/callers/authenticate.ts'
import { generateKey } from '../../src/commands/key.ts'
import { readNode } from '../../src/config/read-node.ts'
import type { ReadContext } from '../../src/config/read-node.ts'
import { callers as schema } from '../../src/config/settings/callers.ts'
import type { CallerSettings } from '../../src/config/settings/callers.ts'
import { jsonReader } from '../../src/outbound/read-json.ts'
import { callersFixture } from '../support/callers-fixture.ts'
import { get, rawRequest } from '../support/raw-http.ts'
import type { RawAnswer } from '../support/raw-http.ts'

t.test('without listed callers every request is accepted as caller “anybody”', async (t) => {
  const { ask } = await doorOf(t, [])
  t.match(await ask(), { status: 200, body: '{"caller":"anybody"}' })
})

t.test('a caller is authenticated by the hash of its key, in either header', async (t) => {
  const [key, other] = [generateKey(), generateKey()]
  const { ask, passed } = await doorOf(t, [
    { name: 'billing', keys: [keyHash(key).toUpperCase()] },
    { name: 'web', keys: [keyHash(other)] },
  ])

  t.match(await ask(`Authorization: Bearer ${key}`), { status: 200, body: '{"caller":"billing"}' })
  t.match(await ask(`authorization: bearer ${key}`), { status: 200, body: '{"caller":"billing"}' })
  t.match(await ask(`X-Api-Key: ${other}`), { status: 200, body: '{"caller":"web"}' })
  t.match(await ask(`X-Api-Key: ${other}`, 'Authorization: Bearer whatever.the.library-sends'), {
    status: 200,
    body: '{"caller":"web"}',
  })

  passed.length = 0
  for (const lines of [
    [],
    ['Authorization: Bearer'],
    ['Authorization: Basic YTpi'],
    [`Authorization: ${key}`],
    [`Authorization: Bearer ${keyHash(key)}`],
    [`Authorization: Bearer ${key}x`],
    [`Authorization: Bearer ${key} ${key}`],
    [`X-Api-Key: ${keyHash(key)}`],
    ['X-Api-Key:'],
    [`X-Api-Key: ${key}`, `X-Api-Key: ${key}`],
    [`X-Api-Key: wrong`, `Authorization: Bearer ${key}`],
    [`Authorization: Bearer ${key}`, 'Authorization: Bearer other'],
    [`X_Api_Key: ${key}`],
    ['Authorization: Bearer a.b.c'],
    [`Cookie: x-api-key=${key}`],
  ]) {
    const answer = await ask(...lines)
    t.match(answer, { status: 401, code: 'GATEWAY_CALLER_UNKNOWN' }, lines.join(', ').replaceAll(key, '<key>'))
    t.match(answer.head, /www-authenticate: Bearer/i)
  }
  t.same(passed, [])
})

t.test('keys of two callers are refused, any other Authorization beside a key is ignored', async (t) => {
  const [key, next, other] = [generateKey(), generateKey(), generateKey()]
  const { ask, passed } = await doorOf(t, [
    { name: 'billing', keys: [keyHash(key), keyHash(next)] },
    { name: 'web', keys: [keyHash(other)] },
  ])

  for (const lines of [
    [`X-Api-Key: ${other}`, `Authorization: Bearer ${key}`],
    [`Authorization: bearer  ${other}`, `x-api-key: ${key}`],
  ]) {
    const answer = await ask(...lines)
    t.match(answer, { status: 400, code: 'GATEWAY_BAD_REQUEST', body: /two callers.*Authorization.*X-Api-Key/ })
    t.notMatch(answer.body, /dgk_|billing|web/)
  }
  t.same(passed, [])

  for (const authorization of [
    `Bearer ${key}`,
    `Bearer ${next}`,
    'Bearer whatever.the.library-sends',
    'Bearer x',
    'Basic YTpi',
    'Bearer',
    other,
    `Bearer ${other}, Bearer ${other}`,
  ]) {
    const answer = await ask(`X-Api-Key: ${key}`, `Authorization: ${authorization}`)
    t.match(answer, { status: 200, body: '{"caller":"billing"}' }, authorization.replace(/dgk_.*/, '<key>'))
  }
  t.match(await ask('X-Api-Key: wrong', `Authorization: Bearer ${key}`), { status: 401 })
})

t.test('a caller is authenticated by the claims of a token that the issuer signed', async (t) => {
  const idp = await issuer(t)
  const { ask } = await doorOf(t, [
    { name: 'reader', token: { issuer: idp.url, audience: ['api://gateway'], roles: ['Read'] } },
    { name: 'writer', token: { issuer: idp.url, audience: ['api://gateway'], roles: ['Write'] } },
    {
      name: 'portal',
      token: { issuer: idp.url, audience: ['api://gateway'], scopes: ['crm.read'], clientIds: ['portal-app'] },
    },
    { name: 'robot', token: { issuer: idp.url, audience: ['api://gateway', 'other'], subjects: ['robot'] } },
  ])
  const caller = async (claims: object): Promise<unknown> =>
    JSON.parse((await ask(`Authorization: Bearer ${await idp.token(claims)}`)).body).caller

  t.equal(await caller({ roles: ['Read'] }), 'reader')
  t.equal(await caller({ roles: ['Other', 'Write'] }), 'writer')
  t.equal(await caller({ scp: 'openid crm.read', azp: 'portal-app' }), 'portal')
  t.equal(await caller({ scp: ['crm.read'], appid: 'portal-app' }), 'portal')
  t.equal(await caller({ scope: 'crm.read', client_id: 'portal-app' }), 'portal')
  t.equal(await caller({ sub: 'robot', aud: ['x', 'other'] }), 'robot')
  t.equal(await caller({ roles: ['Read'], exp: seconds(-50) }), 'reader', 'a clock skew of one minute is allowed')
  t.equal(await caller({ roles: ['Read'], nbf: seconds(50) }), 'reader')
  t.equal(idp.reads(), 2, 'the discovery document and the keys are fetched once')
})

t.test('forged, foreign and expired tokens authenticate nobody', async (t) => {
  const idp = await issuer(t)
  const otherIssuer = await issuer(t)
  const { ask, passed } = await doorOf(t, [
    { name: 'reader', token: { issuer: idp.url, audience: ['api://gateway'], roles: ['Read'] } },
    {
      name: 'portal',
      token: { issuer: idp.url, audience: ['api://gateway'], scopes: ['crm.read'], clientIds: ['portal-app'] },
    },
    { name: 'robot', token: { issuer: idp.url, audience: ['api://gateway'], subjects: ['robot'] } },
  ])
  const claims = { roles: ['Read'] }
  const good = await idp.token(claims)
  const [head, body, signature] = good.split('.') as [string, string, string]
  const publicKey = Buffer.from(JSON.stringify(idp.publicKey()))

  for (const [attack, token] of Object.entries({
    'another issuer': await otherIssuer.token(claims),
    "another issuer, under this one's name": await otherIssuer.token({ ...claims, iss: idp.url }),
    'no signature': new UnsecuredJWT({ ...claims, iss: idp.url, aud: 'api://gateway' })
      .setExpirationTime('1h')
      .encode(),
    'signed with the public key as if it were a secret (CVE-2015-9235)': await new SignJWT({
      ...claims,
      iss: idp.url,
      aud: 'api://gateway',
    })
      .setProtectedHeader({ alg: 'HS256', kid: 'a' })
      .setExpirationTime('1h')
      .sign(publicKey),
    'another audience': await idp.token({ ...claims, aud: 'api://other' }),
    'no audience': await idp.token({ ...claims, aud: undefined }),
    expired: await idp.token({ ...claims, exp: seconds(-70) }),
    'never expires': await idp.token({ ...claims, exp: undefined }),
    'not yet': await idp.token({ ...claims, nbf: seconds(70) }),
    'no role': await idp.token({}),
    'another role': await idp.token({ roles: ['Reader'] }),
    'another scope': await idp.token({ scp: 'crm.write', azp: 'portal-app' }),
    'another app': await idp.token({ scp: 'crm.read', azp: 'other-app' }),
    'another subject': await idp.token({ sub: 'robot2' }),
    changed: `${head}.${Buffer.from(
      JSON.stringify({
        ...claims,
        iss: idp.url,
        aud: 'api://gateway',
        exp: seconds(60),
      }),
    ).toString('base64url')}.${signature}`,
    cut: `${head}.${body}.${signature.slice(0, 20)}`,
    'not JSON': 'e30.AAAA.AAAA',
    'a key of its own in the head': await new SignJWT({ ...claims, iss: idp.url, aud: 'api://gateway' })
      .setProtectedHeader({ alg: 'RS256', jwk: otherIssuer.publicKey(), jku: `${otherIssuer.url}/keys`, kid: 'a' })
      .setExpirationTime('1h')
      .sign(otherIssuer.privateKey()),
  }))
    t.match(await ask(`Authorization: Bearer ${token}`), { status: 401 }, attack)
  t.same(passed, [])
  t.equal((await ask(`Authorization: Bearer ${good}`)).status, 200)
  t.equal(otherIssuer.reads(), 0, 'only the listed issuer is contacted')
})

t.test('a verified token is accepted until it expires', async (t) => {
  const idp = await issuer(t)
  const { ask } = await doorOf(t, [
    { name: 'reader', token: { issuer: idp.url, audience: ['api://gateway'], roles: ['Read'] } },
  ])
  const lines = [`Authorization: Bearer ${await idp.token({ roles: ['Read'], exp: seconds(-52) })}`]

  t.equal((await ask(...lines)).status, 200)
  let { status } = await ask(...lines)
  while (status === 200) {
    await pause(200)
    status = (await ask(...lines)).status
  }
  t.equal(status, 401)
})

t.test("while the issuer's keys are unavailable, tokens get 503 and API keys still work", async (t) => {
  const idp = await issuer(t)
  const key = generateKey()
  const { ask } = await doorOf(t, [
    { name: 'reader', token: { issuer: idp.url, audience: ['api://gateway'], roles: ['Read'] } },
    { name: 'billing', keys: [keyHash(key)] },
  ])
  idp.fail(true)
  t.match(await ask(`Authorization: Bearer ${await idp.token({ roles: ['Read'] })}`), {
    status: 503,
    code: 'GATEWAY_CALLER_KEYS_UNAVAILABLE',
  })
  t.equal((await ask(`X-Api-Key: ${key}`)).status, 200)
})

t.test('the user can come from the token', async (t) => {
  const idp = await issuer(t)
  const token = { issuer: idp.url, audience: ['api://gateway'], clientIds: ['portal'] }
  const oid = '8B1A9953-0000-4000-8000-000000000001'
  const user = async (userFrom: CallerSettings['userFrom'], claims: object): Promise<unknown> => {
    const identify = knownCallers({ ...settingsOf([{ name: 'portal', userFrom, token }]) }, idp.readJson)
    const { caller, fault } = await identify(
      { authorization: `Bearer ${await idp.token({ scp: 'crm', azp: 'portal', ...claims })}`, apiKey: undefined },
      undefined as never,
    )
    return fault ?? caller.user
  }

  t.same(await user('header', { oid }), undefined)
  t.same(await user('oid', { oid }), { objectId: oid.toLowerCase() })
  t.same(await user('email', { email: 'ada@contoso.com', email_verified: true }), { email: 'ada@contoso.com' })
  t.same(await user('preferred_username', { preferred_username: 'ada@contoso.com' }), { email: 'ada@contoso.com' })
  const refused = { code: 'GATEWAY_USER_NOT_ALLOWED' }
  await t.rejects(user('oid', {}), refused, 'the claim is missing')
  await t.rejects(user('oid', { oid: 'x' }), refused, 'no object id')
  await t.rejects(
    user('oid', { oid: '00000000-0000-0000-0000-000000000000' }),
    refused,
    'with the empty GUID Dynamics would act as the application user',
  )
  await t.rejects(user('oid', { oid, idtyp: 'app' }), refused, 'a token of an application names no user')
  await t.rejects(
    user('oid', { oid, sub: oid, scp: undefined, azp: 'portal' }),
    refused,
    'a token without scopes whose subject is the application',
  )
  await t.rejects(
    user('email', { email: 'ada@contoso.com', email_verified: 'false' }),
    refused,
    'an unverified e-mail address',
  )
})

function seconds(fromNow: number): number {
  return Math.floor(Date.now() / 1000) + fromNow
}

function settingsOf(written: readonly object[]): { callers: readonly CallerSettings[]; anybody: CallerSettings } {
  const faults: string[] = []
  const callers = readNode(schema, written, reading(faults))
  const [anybody] = readNode(schema, [{ name: 'anybody' }], reading(faults))
  t.same(faults, [])
  return { callers, anybody: anybody! }
}

async function doorOf(
  t: { teardown: (clean: () => unknown) => void },
  written: readonly object[],
): Promise<{
  ask: (...lines: string[]) => Promise<RawAnswer>
  passed: string[]
}> {
  const agent = new Agent()
  t.teardown(() => agent.close())
  const { server, passed } = await callersFixture(t, { callers: settingsOf(written).callers }, (app, settings) => {
    app.register(authenticate, { identify: knownCallers(settings, jsonReader(agent)) })
  })
  return { ask: (...lines) => rawRequest(server, get('/accounts', ...lines)), passed }
}

/** An OIDC provider with one key. */
async function issuer(t: { teardown: (clean: () => unknown) => void }): Promise<{
  url: string
  token: (claims: object) => Promise<string>
  publicKey: () => JWK
  privateKey: () => ReturnType<typeof generateKeyPairSync>['privateKey']
  reads: () => number
  fail: (failing: boolean) => void
  readJson: (url: string) => Promise<unknown>
}> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = { ...(await exportJWK(publicKey)), kid: 'a', alg: 'RS256', use: 'sig' }
  let reads = 0
  let failing = false
  const server = createServer((request, response) => {
    reads += 1
    if (failing) response.statusCode = 500
    const document = request.url === '/keys' ? { keys: [jwk] } : { issuer: url, jwks_uri: `${url}/keys` }
    response.end(JSON.stringify(document))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const agent = new Agent()
  t.teardown(async () => {
    await agent.close()
    server.close()
  })
  return {
    url,
    publicKey: () => jwk,
    privateKey: () => privateKey,
    reads: () => reads,
    fail: (now) => {
      failing = now
    },
    readJson: jsonReader(agent),
    token: (claims) =>
      new SignJWT({ iss: url, aud: 'api://gateway', exp: seconds(3600), ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: 'a' })
        .sign(privateKey),
  }
}

function reading(faults: string[]): ReadContext {
  return { nameOf: (name) => `callers${name}`, source: { env: {}, file: () => '' }, errors: faults }
}
