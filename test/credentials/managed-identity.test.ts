import t from 'tap'
import type { Test } from 'tap'

import { loadSettings } from '../../src/config/load.ts'
import { connectCredential } from '../../src/credentials/connect-credential.ts'
import { managedIdentity } from '../../src/credentials/managed-identity.ts'
import { ARC } from '../../src/credentials/managed-identity/arc.ts'
import { json, memoryLog, startAuthority } from '../support/authority.ts'

const CLIENT_ID = '22222222-2222-2222-2222-222222222222'

async function identityFor(
  t: Test,
  env: Record<string, string>,
  clientId?: string,
  settings: Record<string, string> = {},
) {
  const authority = await startAuthority(t)
  const [target] = loadSettings(
    {
      DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
      ...settings,
      ...(clientId === undefined ? {} : { AZURE_CLIENT_ID: clientId }),
    },
    undefined,
  ).targets
  const log = memoryLog()
  const credential = connectCredential(target!, { agent: authority.dispatcher, log, env })
  t.teardown(credential.close)
  const ask = () => {
    const [request] = authority.requests
    return { ...request!, query: Object.fromEntries(new URL(request!.url, 'http://x').searchParams) }
  }
  return { authority, log, credential, ask }
}

t.test('virtual machine: uses the metadata service', async (t) => {
  const { authority, credential, ask } = await identityFor(t, {})
  authority.respond = (_, response) =>
    json(response, 200, {
      access_token: 'vm',
      expires_in: '3599',
      token_type: 'Bearer',
      resource: 'x',
      refresh_in: '1800',
    })
  t.equal(await credential.authorization(), 'Bearer vm')

  t.match(ask(), {
    method: 'GET',
    url: /^\/metadata\/identity\/oauth2\/token\?/,
    headers: { metadata: 'true', host: '169.254.169.254' },
    query: { 'api-version': '2018-02-01', resource: 'https://contoso.crm4.dynamics.com' },
  })
  t.equal(ask().query['client_id'], undefined)
  t.ok(credential.state().validFor > 3_500_000)
})

t.test('a user-assigned identity is requested by its client id', async (t) => {
  const { authority, credential, ask, log } = await identityFor(
    t,
    { AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://imds.test/' },
    CLIENT_ID,
  )
  authority.respond = (_, response) =>
    json(response, 200, { access_token: 'vm', expires_in: '3599', token_type: 'Bearer', client_id: CLIENT_ID })
  await credential.authorization()
  t.match(ask(), { headers: { host: 'imds.test' }, query: { client_id: CLIENT_ID } })
  t.same(log.lines[0]!.facts, { kind: 'managed-identity', clientId: CLIENT_ID })
})

t.test('a token of another identity than the requested one is not used', async (t) => {
  const { authority, credential } = await identityFor(t, {}, CLIENT_ID)
  authority.respond = (_, response) =>
    json(response, 200, { access_token: 'vm', expires_in: '3599', client_id: '33333333-3333-3333-3333-333333333333' })
  await t.rejects(credential.authorization() as Promise<string>, { code: 'GATEWAY_CREDENTIAL_REJECTED' })
})

t.test('App Service and Container Apps: uses their endpoint, whose response has the time of expiry', async (t) => {
  const { authority, credential, ask } = await identityFor(t, {
    IDENTITY_ENDPOINT: 'http://127.0.0.1:41741/msi/token/',
    IDENTITY_HEADER: 'h3ader',
  })
  authority.respond = (_, response) =>
    json(response, 200, {
      access_token: 'app',
      expires_on: String(Math.floor(Date.now() / 1000) + 1000),
      token_type: 'Bearer',
      resource: 'x',
    })
  t.equal(await credential.authorization(), 'Bearer app')
  t.match(ask(), {
    url: /^\/msi\/token\/\?/,
    headers: { 'x-identity-header': 'h3ader' },
    query: { 'api-version': '2019-08-01' },
  })
  t.ok(credential.state().validFor > 900_000 && credential.state().validFor < 1_000_000)
})

t.test('Azure Arc: a challenge that names another file is refused', async (t) => {
  const { authority, credential, ask } = await identityFor(t, {
    IDENTITY_ENDPOINT: 'http://127.0.0.1:40342/metadata/identity/oauth2/token',
    IMDS_ENDPOINT: 'http://127.0.0.1:40342',
  })
  authority.respond = (_, response) => json(response, 401, {}, { 'www-authenticate': 'Basic realm=/etc/passwd' })
  await t.rejects(credential.authorization() as Promise<string>, { code: 'GATEWAY_CREDENTIAL_REJECTED' })
  t.match(ask(), { headers: { metadata: 'true' }, query: { 'api-version': '2020-06-01' } })
  t.equal(authority.requests.length, 1)
})

t.test('distinguishes a machine without that identity from one that is not in Azure', async (t) => {
  const none = await identityFor(t, {})
  none.authority.respond = (_, response) =>
    json(response, 400, { error: 'invalid_request', error_description: 'Identity not found' })
  await t.rejects(none.credential.authorization() as Promise<string>, { code: 'GATEWAY_CREDENTIAL_REJECTED' })
  t.match(none.credential.state().lastFailure, /no such managed identity.*Azure portal/)

  const outside = await identityFor(t, {})
  outside.authority.server.close()
  await t.rejects(outside.credential.authorization() as Promise<string>, { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
  t.match(outside.credential.state().lastFailure, /did not answer \(ECONNREFUSED\).*AZURE_TENANT_ID/)

  const silent = await identityFor(t, {}, undefined, { TOKEN_TIMEOUT: '100ms' })
  silent.authority.respond = () => {}
  await t.rejects(silent.credential.authorization() as Promise<string>, { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
  t.match(silent.credential.state().lastFailure, /did not answer \(TIMEOUT\).*AZURE_TENANT_ID/)

  const starting = await identityFor(t, {})
  starting.authority.respond = (_, response) => json(response, 404, { error: 'not_found' })
  await t.rejects(starting.credential.authorization() as Promise<string>, { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
})

t.test('platforms that are not supported are reported', async (t) => {
  for (const env of [
    { MSI_ENDPOINT: 'http://localhost:1' },
    { IDENTITY_ENDPOINT: 'http://localhost:1', IDENTITY_HEADER: 'x', IDENTITY_SERVER_THUMBPRINT: 'y' },
  ]) {
    const { credential } = await identityFor(t, env as Record<string, string>)
    await t.rejects(credential.authorization() as Promise<string>, { code: 'GATEWAY_CREDENTIAL_REJECTED' })
    t.match(credential.state().lastFailure, /not supported/)
  }
})

t.test(
  'the AADSTS number explains why a managed identity gets no token, wherever the response contains it',
  async (t) => {
    const trace = '11111111-aaaa-4aaa-8aaa-111111111111'
    const correlation = '22222222-bbbb-4bbb-8bbb-222222222222'
    const text =
      `AADSTS500011: The resource principal was not found. Trace ID: ${trace} Correlation ID: ${correlation} ` +
      'Timestamp: 2026-01-01 00:00:00Z'
    for (const [status, body] of [
      [400, { error: 'invalid_resource', error_description: text }],
      [400, { error: 'invalid_resource', error_description: text, error_codes: [500011] }],
      [403, { error: 'forbidden', error_description: text }],
      [400, { statusCode: 400, message: text }],
      [500, { ExceptionMessage: text }],
      [400, { error: { code: 'invalid_resource', message: text } }],
    ] as const) {
      const { authority, credential, log } = await identityFor(t, {})
      authority.respond = (_, response) => json(response, status, body)
      await t.rejects(credential.authorization() as Promise<string>, {
        code: status < 500 ? 'GATEWAY_CREDENTIAL_REJECTED' : 'GATEWAY_TOKEN_UNAVAILABLE',
      })
      t.match(credential.state().lastFailure, /does not know the environment .*\(AADSTS500011\).*DYNAMICS_URL/)
      t.match(log.lines.at(-1)?.facts, { aadsts: 500011, traceId: trace, correlationId: correlation })
    }
  },
)

t.test('the AADSTS number of a transient error does not count as a refusal', async (t) => {
  const { authority, credential } = await identityFor(t, {})
  authority.respond = (_, response) => json(response, 400, { error: 'x', error_description: 'AADSTS90033: transient' })
  await t.rejects(credential.authorization() as Promise<string>, { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
})

t.test('every form of the error for a missing identity is recognised', async (t) => {
  for (const [body, says] of [
    [{ error: 'invalid_request', error_description: 'Identity not found' }, /no such managed identity/],
    [
      {
        statusCode: 400,
        message: 'No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.',
      },
      /no such managed identity/,
    ],
    [
      { error: 'invalid_request', error_description: 'The requested identity has not been assigned to this resource.' },
      /no such managed identity/,
    ],
    [
      {
        error: 'invalid_request',
        error_description:
          'Multiple user assigned identities exist, please specify the ' +
          'clientId / resourceId of the identity in the token request',
      },
      /several managed identities.*AZURE_CLIENT_ID/,
    ],
  ] as const) {
    const { authority, credential } = await identityFor(t, {}, CLIENT_ID)
    authority.respond = (_, response) => json(response, 400, body)
    await t.rejects(credential.authorization() as Promise<string>, { code: 'GATEWAY_CREDENTIAL_REJECTED' })
    t.match(credential.state().lastFailure, says)
  }
})

t.test('other errors are not explained by a missing identity', async (t) => {
  const invalid = await identityFor(t, {})
  invalid.authority.respond = (_, response) =>
    json(response, 400, { error: 'invalid_request', error_description: 'Required query variable missing' })
  await t.rejects(invalid.credential.authorization() as Promise<string>, { code: 'GATEWAY_CREDENTIAL_REJECTED' })
  t.match(invalid.credential.state().lastFailure, /responded with 400 \(invalid_request\)\. .*no explanation/)

  const filter = await identityFor(t, {})
  filter.authority.respond = (_, response) =>
    response.writeHead(403, { 'content-type': 'text/html' }).end('<html>blocked</html>')
  await t.rejects(filter.credential.authorization() as Promise<string>, { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
  t.match(filter.credential.state().lastFailure, /answered 403 with a page/)
  t.notMatch(filter.credential.state().lastFailure, /no such managed identity|blocked/)
})

const OF_THE_MACHINE = { clientId: undefined, scope: 'https://contoso.crm4.dynamics.com/.default' }

t.test(
  'Azure Arc: repeats the request with the key from the challenge, also if only IMDS_ENDPOINT is set',
  async (t) => {
    const authority = await startAuthority(t)
    const { dispatcher } = authority
    const keys = t.testdir({ 'a.key': 'k3y' })
    authority.respond = ({ headers }, response) =>
      headers.authorization === 'Basic k3y'
        ? json(response, 200, { access_token: 'arc', expires_in: '3599' })
        : json(response, 401, {}, { 'www-authenticate': `Basic realm=${keys}/a.key` })
    const address = 'http://127.0.0.1:40342/metadata/identity/oauth2/token'
    for (const env of [{}, { IDENTITY_ENDPOINT: address, IMDS_ENDPOINT: 'x' }]) {
      const fetch = managedIdentity({ ...OF_THE_MACHINE, dispatcher, env, arc: { agent: keys, keys } })
      t.match(await fetch({ signal: AbortSignal.timeout(5000) }), { accessToken: 'arc' })
      t.match(authority.requests.at(-1), { url: /^\/metadata\/identity\/oauth2\/token\?api-version=2020-06-01/ })
    }
  },
)

t.test('handles an error without a code, and a token without a lifetime', async (t) => {
  const { authority, credential, log } = await identityFor(t, {})
  authority.respond = (_, response) => json(response, 400, { error_description: 'The sky is falling' })
  await t.rejects(credential.authorization() as Promise<string>)
  t.match(JSON.stringify(log.lines), /endpoint responded with 400\./)
  authority.respond = (_, response) => json(response, 200, { access_token: 'vm' })
  const fetch = managedIdentity({ ...OF_THE_MACHINE, dispatcher: authority.dispatcher, env: {}, arc: ARC })
  t.match(await fetch({ signal: AbortSignal.timeout(5000) }), { accessToken: 'vm', expiresIn: undefined })
})
