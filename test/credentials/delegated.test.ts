import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

import t from 'tap'
import type { Test } from 'tap'

import { loadSettings } from '../../src/config/load.ts'
import { connectCredential } from '../../src/credentials/connect-credential.ts'
import { tokenStore } from '../../src/credentials/token-store.ts'
import { json, memoryLog, startAuthority } from '../support/authority.ts'
import { until } from '../support/until.ts'

const TENANT = '11111111-1111-1111-1111-111111111111'

async function personFor(t: Test, env: Record<string, string> = {}) {
  const authority = await startAuthority(t)
  const log = memoryLog()
  const variables = {
    DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
    AZURE_TENANT_ID: TENANT,
    AZURE_CLIENT_ID: '22222222-2222-2222-2222-222222222222',
    CREDENTIAL: 'delegated',
    XDG_STATE_HOME: t.testdir({}),
    AZURE_AUTHORITY_HOST: 'https://idp.test:8443',
    ...env,
  }
  const [target] = loadSettings(variables, undefined).targets
  const kept = tokenStore(
    { authorityHost: 'https://idp.test:8443', tenantId: TENANT, clientId: variables.AZURE_CLIENT_ID },
    variables,
  )
  const credential = connectCredential(target!, { agent: authority.dispatcher, log, env: variables })
  t.teardown(credential.close)
  return { authority, log, kept, credential }
}

const metadata = { authorization_endpoint: 'https://idp.test:8443/auth', token_endpoint: 'https://idp.test:8443/token' }

t.test('renews with the stored refresh token, and stores the next one', async (t) => {
  const { authority, kept, credential } = await personFor(t, { AZURE_CLIENT_SECRET: 's3cret' })
  authority.respond = ({ method }, response) =>
    json(
      response,
      200,
      method === 'GET'
        ? metadata
        : {
            access_token: 'person',
            expires_in: 600,
            refresh_token: 'second',
          },
    )
  kept.write({ id: '1', refreshToken: 'first', userName: 'ada' })

  t.equal(await credential.authorization(), 'Bearer person')
  t.match(Object.fromEntries(authority.requests[1]!.form), {
    grant_type: 'refresh_token',
    refresh_token: 'first',
    client_secret: 's3cret',
    scope: 'https://contoso.crm4.dynamics.com/.default',
  })
  t.same(kept.read(), { id: '1', refreshToken: 'second', userName: 'ada' })
})

t.test('a sign-in while the gateway runs is used', async (t) => {
  const { authority, kept, credential } = await personFor(t)
  authority.respond = ({ method }, response) =>
    json(response, 200, method === 'GET' ? metadata : { access_token: 'person', expires_in: 600, id_token: 'nonsense' })
  await t.rejects(credential.authorization() as Promise<string>)
  kept.write({ id: '1', refreshToken: 'first' })
  credential.reload()
  await until(() => credential.state().token === 'fresh')
  t.same(kept.read(), { id: '1', refreshToken: 'first' }, 'the old refresh token stays in use if there is no new one')
})

t.test('an authority without usable endpoints is a temporary failure', async (t) => {
  const { authority, kept, credential } = await personFor(t)
  kept.write({ id: '1', refreshToken: 'first' })
  for (const answer of [{}, { ...metadata, token_endpoint: 'http://idp.test/token' }]) {
    authority.respond = (_, response) => json(response, 200, answer)
    credential.reload()
    const { failures } = credential.state()
    await until(() => credential.state().failures > failures)
    t.match(credential.state().lastFailure, /no usable endpoints/)
  }
  authority.respond = (_, response) => json(response, 404, {})
  credential.reload()
  await until(() => credential.state().failures === 3)
  t.match(credential.state().lastFailure, /404/)
})

t.test('for an unexplained refusal, the fix is to sign in again', async (t) => {
  const { authority, kept, credential } = await personFor(t)
  kept.write({ id: '1', refreshToken: 'first' })
  authority.respond = ({ method }, response) => {
    if (method === 'GET') json(response, 200, metadata)
    else json(response, 400, { error: 'invalid_grant', error_codes: [123456] })
  }
  await t.rejects(credential.authorization() as Promise<string>, { code: 'GATEWAY_CREDENTIAL_REJECTED' })
  t.match(credential.state().lastFailure, /login` again/)
})

t.test('a file that is not a sign-in counts as missing', async (t) => {
  const { kept, credential } = await personFor(t)
  kept.write({ id: '1', refreshToken: 'first' })
  for (const text of ['', 'no json', '{}', '{"refreshToken":5}']) {
    writeFileSync(kept.file, text)
    t.equal(kept.read(), undefined)
  }
  await t.rejects(credential.authorization() as Promise<string>, { code: 'GATEWAY_CREDENTIAL_REJECTED' })
})

t.test('a renewed sign-in that cannot be stored, or read again, is logged, and the token is used', async (t) => {
  const { authority, kept, credential, log } = await personFor(t)
  kept.write({ id: '1', refreshToken: 'first' })
  authority.respond = ({ method }, response) => {
    if (method === 'GET') return json(response, 200, metadata)
    rmSync(kept.file)
    mkdirSync(kept.file)
    json(response, 200, { access_token: 'person', expires_in: 600, refresh_token: 'second' })
  }
  t.equal(await credential.authorization(), 'Bearer person')
  t.match(
    log.lines.find(({ level }) => level === 'warn'),
    { facts: { code: 'EISDIR' }, sentence: /cannot be stored/ },
  )

  credential.reload()
  await until(() => credential.state().failures === 1)
  t.match(
    log.lines.findLast(({ level }) => level === 'warn'),
    {
      facts: { code: 'EISDIR' },
      sentence: /cannot be read/,
    },
  )
  t.equal(credential.authorization(), 'Bearer person')
})

t.test('environments that share a sign-in use its refresh token one at a time, without extra renewals', async (t) => {
  const { authority, kept, credential } = await personFor(t)
  kept.write({ id: '1', refreshToken: 'r0' })
  let valid = 'r0'
  authority.respond = ({ method, form }, response) => {
    if (method === 'GET') return json(response, 200, metadata)
    if (form.get('refresh_token') !== valid) return json(response, 400, { error: 'invalid_grant' })
    valid = `${valid}x`
    setTimeout(() => json(response, 200, { access_token: 'person', expires_in: 600, refresh_token: valid }), 30)
  }
  const variables = {
    DYNAMICS_URL: 'https://fabrikam.crm4.dynamics.com',
    AZURE_TENANT_ID: TENANT,
    AZURE_CLIENT_ID: '22222222-2222-2222-2222-222222222222',
    CREDENTIAL: 'delegated',
    AZURE_AUTHORITY_HOST: 'https://idp.test:8443',
  }
  const other = connectCredential(loadSettings(variables, undefined).targets[0]!, {
    agent: authority.dispatcher,
    log: memoryLog(),
    env: { XDG_STATE_HOME: dirname(dirname(kept.file)) },
  })
  t.teardown(other.close)
  t.same(await Promise.all([credential.authorization(), other.authorization()]), ['Bearer person', 'Bearer person'])
  await new Promise((resolve) => setTimeout(resolve, 500))
  t.same([credential.state().renewals, other.state().renewals], [1, 1])

  kept.write({ id: '2', refreshToken: valid })
  await until(() => credential.state().renewals === 2 && other.state().renewals === 2)
})
