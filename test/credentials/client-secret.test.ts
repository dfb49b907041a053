import { writeFileSync } from 'node:fs'
import { inspect } from 'node:util'

import t from 'tap'
import type { Test } from 'tap'

import { loadSettings } from '../../src/config/load.ts'
import type { Target } from '../../src/config/schema.ts'
import { connectCredential } from '../../src/credentials/connect-credential.ts'
import type { AuthorityRequest } from '../support/authority.ts'
import { issuesToken, json, memoryLog, refusesWith, startAuthority } from '../support/authority.ts'
import { until } from '../support/until.ts'

const SECRET = 's3cret+&=%é~'

function targetOf(env: Record<string, string> = {}): Target {
  return loadSettings(
    {
      DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
      AZURE_TENANT_ID: '11111111-1111-1111-1111-111111111111',
      AZURE_CLIENT_ID: '22222222-2222-2222-2222-222222222222',
      ...('AZURE_CLIENT_SECRET_FILE' in env ? {} : { AZURE_CLIENT_SECRET: SECRET }),
      TOKEN_TIMEOUT: '3s',
      ...env,
    },
    undefined,
  ).targets[0]!
}

async function credentialFor(t: Test, env: Record<string, string> = {}) {
  const authority = await startAuthority(t)
  const log = memoryLog()
  const credential = connectCredential(targetOf(env), { agent: authority.dispatcher, log })
  t.teardown(credential.close)
  return { authority, log, credential }
}

t.test("asks the tenant's token endpoint with id, secret and scope", async (t) => {
  const { authority, credential } = await credentialFor(t)
  t.match(await credential.authorization(), /^Bearer token-\d+$/)

  t.equal(authority.requests.length, 1, "Microsoft's own authority needs no discovery")
  t.match(authority.requests[0]!.url, /^\/11111111-1111-1111-1111-111111111111\/oauth2\/v2\.0\/token/)
  t.match(Object.fromEntries(authority.requests[0]!.form), {
    grant_type: 'client_credentials',
    client_id: '22222222-2222-2222-2222-222222222222',
    client_secret: SECRET,
    scope: 'https://contoso.crm4.dynamics.com/.default',
  })
})

t.test('the claims of a challenge are sent to the authority', async (t) => {
  const { authority, credential } = await credentialFor(t)
  credential.discard(await credential.authorization(), '{"access_token":{"nbf":{"essential":true,"value":"1"}}}')
  await credential.authorization()
  t.match(authority.requests[1]!.form.get('claims'), /"nbf"/)
})

t.test('the endpoints of a private authority come from its metadata, including the port', async (t) => {
  const { authority, credential } = await credentialFor(t, { AZURE_AUTHORITY_HOST: 'https://localhost:8443' })
  authority.respond = (received, response) => {
    const base = 'https://localhost:8443/11111111-1111-1111-1111-111111111111'
    if (received.method === 'GET')
      return json(response, 200, {
        issuer: base,
        token_endpoint: `${base}/token`,
        authorization_endpoint: `${base}/auth`,
        jwks_uri: `${base}/keys`,
      })
    issuesToken()(received, response)
  }
  t.match(await credential.authorization(), /^Bearer token-/)
  t.match(authority.requests, [
    { method: 'GET', url: /openid-configuration/ },
    { method: 'POST', url: /\/token/, headers: { host: 'localhost:8443' } },
  ])
})

t.test('credentials are never sent without TLS, even when the metadata says so', async (t) => {
  const { authority, credential, log } = await credentialFor(t, { AZURE_AUTHORITY_HOST: 'https://localhost:8443' })
  authority.respond = (_, response) =>
    json(response, 200, {
      issuer: 'https://localhost:8443/x',
      token_endpoint: 'http://localhost:8443/token',
      authorization_endpoint: 'https://localhost:8443/auth',
      jwks_uri: 'https://localhost:8443/keys',
    })
  await t.rejects(credential.authorization() as Promise<string>, { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
  t.equal(authority.requests.filter(({ method }) => method === 'POST').length, 0)
  t.match(log.lines.at(-1), { sentence: /TLS/ })
})

t.test('a redirect is not followed', async (t) => {
  const { authority, credential } = await credentialFor(t)
  authority.respond = (_, response) => response.writeHead(307, { location: 'https://evil.example/token' }).end()
  await t.rejects(credential.authorization() as Promise<string>, { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
  t.equal(authority.requests.length, 1)
})

t.test(
  'for every failure of the authority, the caller gets 503 and the log one sentence without secrets',
  async (t) => {
    const failures: Record<string, (received: AuthorityRequest, response: import('node:http').ServerResponse) => void> =
      {
        reset: (_, response) => response.destroy(),
        'breaks off': (_, response) => {
          response.writeHead(200, { 'content-length': '500' }).write('{"access')
          setTimeout(() => response.destroy(), 20)
        },
        '500 without JSON': (_, response) => response.writeHead(500).end('boom'),
        '500 with JSON': (_, response) => json(response, 500, { error: 'server_error' }),
        '503 with JSON and nothing in it': (_, response) => json(response, 503, {}),
        '429': (_, response) =>
          json(response, 429, { error: 'temporarily_unavailable', error_codes: [90055] }, { 'retry-after': '7' }),
        HTML: (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>sign in</html>'),
        'HTML 502': (_, response) =>
          response.writeHead(502, { 'content-type': 'text/html' }).end('<html>bad gateway</html>'),
        empty: (_, response) => response.writeHead(200).end(),
        null: (_, response) => json(response, 200, null),
        'a list': (_, response) => json(response, 200, []),
        garbage: (_, response) =>
          response.writeHead(200, { 'content-type': 'application/json' }).end('{"access_token": '),
        'no token': (_, response) => json(response, 200, { token_type: 'Bearer', expires_in: 3600 }),
        'an empty token': (_, response) =>
          json(response, 200, {
            token_type: 'Bearer',
            expires_in: 3600,
            access_token: '',
          }),
        'a token that is no text': (_, response) =>
          json(response, 200, {
            token_type: 'Bearer',
            expires_in: 3600,
            access_token: { a: 1 },
          }),
        'a token with a line break': (_, response) =>
          json(response, 200, {
            token_type: 'Bearer',
            expires_in: 3600,
            access_token: 'a\r\nx: y',
          }),
        'a token of another type': (_, response) =>
          json(response, 200, {
            token_type: 'mac',
            expires_in: 3600,
            access_token: 'abc',
          }),
        'too much': (_, response) => response.writeHead(200).end('x'.repeat(2_000_000)),
        hangs: () => {},
        'a page instead of a 404': (_, response) =>
          response.writeHead(404, { 'content-type': 'text/html' }).end('<html>'),
      }
    for (const [failure, respond] of Object.entries(failures)) {
      const { authority, credential, log } = await credentialFor(t, {
        TOKEN_TIMEOUT: failure === 'hangs' ? '200ms' : '3s',
      })
      authority.respond = respond
      await t.rejects(
        credential.authorization() as Promise<string>,
        { code: 'GATEWAY_TOKEN_UNAVAILABLE', statusCode: 503 },
        failure,
      )
      const line = log.lines.at(-1)!
      t.match(line, { level: 'warn', sentence: /^no access token: .+\./ }, failure)
      t.notMatch(
        inspect([line, await Promise.resolve(credential.authorization()).catch((error: unknown) => error)], {
          depth: 9,
        }),
        /s3cret/,
        failure,
      )
      credential.close()
    }
  },
)

t.test('an unreachable authority is a 503, and the log names the cause', async (t) => {
  const { authority, credential, log } = await credentialFor(t)
  authority.server.close()
  await t.rejects(credential.authorization() as Promise<string>, { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
  t.match(log.lines.at(-1), { facts: { code: 'ECONNREFUSED', host: 'login.microsoftonline.com' } })
})

t.test('Retry-After is passed on to the caller', async (t) => {
  const { authority, credential } = await credentialFor(t)
  authority.respond = (_, response) => json(response, 429, { error: 'temporarily_unavailable' }, { 'retry-after': '7' })
  await t.rejects(credential.authorization() as Promise<string>, { code: 'GATEWAY_TOKEN_UNAVAILABLE', retryAfter: 7 })
})

t.test('a failure does not block the next attempt', async (t) => {
  const { authority, credential } = await credentialFor(t)
  authority.respond = (_, response) => json(response, 500, { error: 'server_error' })
  await t.rejects(credential.authorization() as Promise<string>)
  authority.respond = issuesToken()
  await until(() => credential.state().token === 'fresh')
  t.equal(authority.requests.length, 2)
})

t.test("a refused secret is a 502, and the log explains the AADSTS number without Microsoft's text", async (t) => {
  const { authority, credential, log } = await credentialFor(t)
  authority.respond = refusesWith(401, 'invalid_client', 7000215)
  await t.rejects(credential.authorization() as Promise<string>, {
    code: 'GATEWAY_CREDENTIAL_REJECTED',
    statusCode: 502,
  })

  const line = log.lines.at(-1)!
  t.match(line, {
    level: 'error',
    facts: { aadsts: 7000215, status: 401, error: 'invalid_client' },
    sentence: /secret is wrong \(AADSTS7000215\).*Value/,
  })
  t.notMatch(inspect(line, { depth: 9 }), /s3cret|text that quotes/)
})

t.test('a token with another scope is still cached', async (t) => {
  const { authority, credential } = await credentialFor(t)
  authority.respond = issuesToken(3600, { scope: 'something else' })
  await credential.authorization()
  t.type(credential.authorization(), 'string')
  t.equal(authority.requests.length, 1)
})

t.test('a secret that changes in its file is used without a restart', async (t) => {
  const file = `${t.testdir({ secret: 'first\n' })}/secret`
  const { authority, credential } = await credentialFor(t, { AZURE_CLIENT_SECRET_FILE: file })
  const first = await credential.authorization()
  writeFileSync(file, 'second\n')
  await until(() => credential.state().renewals === 2)

  t.same(
    authority.requests.map(({ form }) => form.get('client_secret')),
    ['first', 'second'],
  )
  t.not(await credential.authorization(), first)
})

t.test('a new secret that is refused is ignored, and the old one stays in use', async (t) => {
  const file = `${t.testdir({ secret: 'good' })}/secret`
  const { authority, credential, log } = await credentialFor(t, { AZURE_CLIENT_SECRET_FILE: file })
  await credential.authorization()
  authority.respond = (received, response) => {
    ;(received.form.get('client_secret') === 'good' ? issuesToken() : refusesWith(401, 'invalid_client', 7000215))(
      received,
      response,
    )
  }
  for (const bad of ['bad', '']) {
    const before = credential.state().renewals
    writeFileSync(file, bad)
    await until(() => credential.state().renewals > before)
    t.match(log.lines.findLast(({ level }) => level === 'error')?.sentence, /old one stays/)
  }
  t.same(
    authority.requests.map(({ form }) => form.get('client_secret')),
    ['good', 'bad', 'good', 'good'],
  )
  t.equal(credential.state().failures, 0)
})

t.test('kind, tenant, client id and authority are logged at startup, and nothing secret', async (t) => {
  const { log } = await credentialFor(t)
  t.same(log.lines[0]!.facts, {
    kind: 'client-secret',
    tenant: '11111111-1111-1111-1111-111111111111',
    clientId: '22222222-2222-2222-2222-222222222222',
    authority: 'https://login.microsoftonline.com',
  })
  t.notMatch(inspect(targetOf(), { depth: 9, showHidden: true }), /s3cret/)
})

t.test('an error of MSAL itself is reported by its code only', async (t) => {
  // The settings refuse this tenant.
  const target = targetOf()
  const { dispatcher } = await startAuthority(t)
  const credential = connectCredential(
    { ...target, credential: { ...target.credential, tenantId: 'common' } as Target['credential'] },
    { agent: dispatcher, log: memoryLog() },
  )
  t.teardown(credential.close)
  await t.rejects(credential.authorization() as Promise<string>, { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
  t.match(credential.state().lastFailure, /\(missing_tenant_id_error\).*AZURE_TENANT_ID/)
})

t.test('Retry-After of the authority may be a date, and is ignored if malformed', async (t) => {
  for (const [value, least, most] of [
    [new Date(Date.now() + 9500).toUTCString(), 7, 10],
    ['soon', 1, 1],
    ['-5', 1, 1],
    [new Date(0).toUTCString(), 1, 1],
  ] as const) {
    const { authority, credential } = await credentialFor(t)
    authority.respond = (_, response) =>
      json(response, 503, { error: 'temporarily_unavailable' }, { 'retry-after': value })
    const error: { retryAfter: number } = await Promise.resolve(credential.authorization()).then(
      () => {
        throw new Error('no failure')
      },
      (reason) => reason,
    )
    t.ok(error.retryAfter >= least && error.retryAfter <= most, `${value}: ${error.retryAfter}`)
  }
})

t.test('a possibly truncated secret is mentioned only for refusals of the secret', async (t) => {
  const authority = await startAuthority(t)
  const target = targetOf()
  const doubtful = { ...(target.credential as { secret: object }).secret, doubt: 'It ends before the #.' }
  const failureOf = async (status: number, error: string, number: number): Promise<string | undefined> => {
    const credential = connectCredential(
      { ...target, credential: { ...target.credential, secret: doubtful } as typeof target.credential },
      { agent: authority.dispatcher, log: memoryLog() },
    )
    t.teardown(credential.close)
    authority.respond = refusesWith(status, error, number)
    await t.rejects(credential.authorization() as Promise<string>)
    return credential.state().lastFailure
  }

  t.notMatch(await failureOf(400, 'unauthorized_client', 700016), /It ends before/)
  t.match(await failureOf(401, 'invalid_client', 7000215), /It ends before/)
})
