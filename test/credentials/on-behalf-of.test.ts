import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t from 'tap'
import type { Test } from 'tap'

import { loadSettings } from '../../src/config/load.ts'
import { connectCredential } from '../../src/credentials/connect-credential.ts'
import { onBehalfOf } from '../../src/credentials/user-tokens.ts'
import type { UserToken } from '../../src/credentials/user-tokens.ts'
import { issuesToken, json, memoryLog, startAuthority } from '../support/authority.ts'
import { until } from '../support/until.ts'

const CERTIFICATE = new URL('../../../test/credentials/certificates/plain.pem', import.meta.url).pathname

const ADELE: UserToken = {
  tenantId: '11111111-1111-1111-1111-111111111111',
  objectId: 'aaaaaaaa-0000-4000-8000-000000000001',
  id: 'hash',
  expires: Date.now() + 3_600_000,
  assertion: 'the.persons.token',
}

t.test('exchanges a token with the configured secret, certificate or federated token', async (t) => {
  const federated = fileIn(t, 'platform.issued.token')
  for (const [proof, form] of [
    [{ secret: { env: 'SECRET' } }, { client_secret: 's3cret' }],
    [{ federatedTokenFile: federated }, { client_assertion: 'platform.issued.token' }],
    [{ certificateFile: CERTIFICATE }, { client_assertion: /^ey/ }],
  ] as const) {
    const { authority, credential } = await credentialFor(t, proof)
    t.match(await credential.onBehalfOf!.tokensOf(ADELE).authorization(), /^Bearer token-\d+$/)
    t.match(Object.fromEntries(authority.requests.at(-1)!.form), {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      requested_token_use: 'on_behalf_of',
      assertion: 'the.persons.token',
      ...form,
    })
  }
})

t.test('a session that expired while its request waited is not exchanged', async (t) => {
  const { authority, credential } = await credentialFor(t, { secret: { env: 'SECRET' } })
  const ended = credential.onBehalfOf!.tokensOf({ ...ADELE, expires: Date.now() - 1 }).authorization()
  await t.rejects(Promise.resolve(ended), { code: 'GATEWAY_USER_TOKEN_EXPIRED' })
  t.same(authority.requests, [])
})

t.test('a token of another person or of the app is not accepted', async (t) => {
  const { authority, credential, log } = await credentialFor(t, { secret: { env: 'SECRET' } })
  for (const claims of [
    { oid: 'aaaaaaaa-0000-4000-8000-000000000002', tid: ADELE.tenantId },
    { oid: ADELE.objectId, tid: '99999999-1111-1111-1111-111111111111' },
    { oid: ADELE.objectId, idtyp: 'app' },
  ]) {
    const accessToken = `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`
    authority.respond = (_, response) => json(response, 200, { access_token: accessToken, expires_in: 3600 })
    const tokens = credential.onBehalfOf!.tokensOf({ ...ADELE, id: JSON.stringify(claims) })
    await t.rejects(Promise.resolve(tokens.authorization()), { code: 'GATEWAY_CREDENTIAL_REJECTED' })
  }
  t.match(JSON.stringify(log.lines), /token of another person/)
})

t.test('an unresponsive authority costs no more than TOKEN_TIMEOUT', async (t) => {
  const { authority, credential } = await credentialFor(t, { secret: { env: 'SECRET' } }, '300ms')
  authority.respond = () => undefined
  const tokens = credential.onBehalfOf!.tokensOf(ADELE)
  await t.rejects(Promise.resolve(tokens.authorization()), { code: 'GATEWAY_TOKEN_UNAVAILABLE', retryAfter: 1 })
  authority.respond = issuesToken()
})

t.test('when Entra asks to wait, no exchange is tried until then, and exchanges succeed afterwards', async (t) => {
  const { authority, credential } = await credentialFor(t, { secret: { env: 'SECRET' } })
  authority.respond = (_, response) => json(response, 429, { error: 'throttled' }, { 'retry-after': '1' })
  const authorizationOf = async (id: string): Promise<string> =>
    credential.onBehalfOf!.tokensOf({ ...ADELE, id }).authorization()
  const start = performance.now()
  await t.rejects(authorizationOf('first'), { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
  const requests = authority.requests.length
  authority.respond = issuesToken()

  await until(() => authorizationOf('second').then(Boolean, () => false))
  t.ok(performance.now() - start >= 1000)
  t.equal(authority.requests.length, requests + 1)
})

t.test('nor does an exchange that ignores its signal, as undici does while it connects', async (t) => {
  const log = memoryLog()
  const credential = credentialOf({ secret: { env: 'SECRET' } })
  const { targets } = settingsWith(t, {
    callers: [PEOPLE],
    targets: [{ url: ENVIRONMENT, credential, tokenTimeout: '50ms' }],
  })
  const exchange = onBehalfOf(targets[0]!, 'app', () => new Promise(() => {}), log)
  t.teardown(exchange.close)
  await t.rejects(Promise.resolve(exchange.tokensOf(ADELE).authorization()), { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
  t.match(JSON.stringify(log.lines), /within 50 ms/)
})

t.test('kinds without an app registration do not exchange tokens', async (t) => {
  const authority = await startAuthority(t)
  const [target] = loadSettings(
    { DYNAMICS_URL: 'https://contoso.crm4.dynamics.com', CREDENTIAL: 'managed-identity' },
    undefined,
  ).targets
  const credential = connectCredential(target!, { agent: authority.dispatcher, log: memoryLog(), env: {} })
  t.teardown(credential.close)
  t.equal(credential.onBehalfOf, undefined)
})

t.test('settings that cannot work are refused at startup', async (t) => {
  for (const [target, callers, fault] of [
    [{ credential: credentialOf({}) }, [PEOPLE], /exactly one of secret/],
    [
      { credential: credentialOf({ secret: { env: 'SECRET' }, federatedTokenFile: fileIn(t, 'x') }) },
      [PEOPLE],
      /exactly one of secret/,
    ],
    [{ credential: credentialOf({ secret: { env: 'SECRET' } }) }, [], /list a caller/],
    [
      { credential: credentialOf({ secret: { env: 'SECRET' } }), impersonation: { mode: 'optional' } },
      [PEOPLE],
      /must be off/,
    ],
    [{ credential: { kind: 'managed-identity' } }, [PEOPLE], /cannot do: use client-secret/],
    [
      { credential: credentialOf({ secret: { env: 'SECRET' } }) },
      [{ ...PEOPLE, keys: ['0'.repeat(64)] }],
      /nothing else/,
    ],
  ] as const) {
    t.throws(() => settingsWith(t, { callers, targets: [{ url: ENVIRONMENT, ...target }] }), fault)
  }
})

const ENVIRONMENT = 'https://contoso.crm4.dynamics.com'

const PEOPLE = {
  name: 'portal',
  token: {
    issuer: 'https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/v2.0',
    audience: ['22222222-2222-2222-2222-222222222222'],
    scopes: ['access_as_user'],
  },
  userFrom: 'on-behalf-of',
}

function credentialOf(proof: object): object {
  return {
    kind: 'on-behalf-of',
    tenantId: '11111111-1111-1111-1111-111111111111',
    clientId: '22222222-2222-2222-2222-222222222222',
    ...proof,
  }
}

function fileIn(t: Test, content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'on-behalf-of-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'file.json')
  writeFileSync(file, content)
  return file
}

function settingsWith(t: Test, settings: object) {
  const file = fileIn(t, '')
  writeFileSync(file, JSON.stringify(settings))
  return loadSettings({ SECRET: 's3cret' }, file)
}

async function credentialFor(t: Test, proof: object, tokenTimeout = '20s') {
  const authority = await startAuthority(t)
  const log = memoryLog()
  const { targets } = settingsWith(t, {
    callers: [PEOPLE],
    targets: [{ url: ENVIRONMENT, credential: credentialOf(proof), tokenTimeout }],
  })
  const credential = connectCredential(targets[0]!, { agent: authority.dispatcher, log })
  t.teardown(credential.close)
  return { authority, credential, log }
}
