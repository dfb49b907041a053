import { createHash, X509Certificate } from 'node:crypto'
import { copyFileSync, readFileSync, rmSync } from 'node:fs'

import { decodeProtectedHeader, importX509, jwtVerify } from 'jose'
import { generate } from 'selfsigned'
import t from 'tap'
import type { Test } from 'tap'

import { loadSettings } from '../../src/config/load.ts'
import { connectCredential } from '../../src/credentials/connect-credential.ts'
import { dueWarning } from '../../src/credentials/expiry.ts'
import { issuesToken, memoryLog, refusesWith, startAuthority } from '../support/authority.ts'
import { until } from '../support/until.ts'

const CLIENT_ID = '22222222-2222-2222-2222-222222222222'
const TENANT = '11111111-1111-1111-1111-111111111111'

function fixture(name: string): string {
  return new URL(`../../../test/credentials/certificates/${name}`, import.meta.url).pathname
}

async function credentialFor(t: Test, env: Record<string, string>) {
  const authority = await startAuthority(t)
  const log = memoryLog()
  const [target] = loadSettings(
    {
      DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
      AZURE_TENANT_ID: TENANT,
      AZURE_CLIENT_ID: CLIENT_ID,
      ...env,
    },
    undefined,
  ).targets
  const credential = connectCredential(target!, { agent: authority.dispatcher, log })
  t.teardown(credential.close)
  return { authority, log, credential }
}

function leafOf(file: string): X509Certificate {
  return new X509Certificate(readFileSync(fixture(file)))
}

t.test('signs an assertion with PS256 that the certificate verifies', async (t) => {
  const { authority, credential } = await credentialFor(t, { AZURE_CLIENT_CERTIFICATE_PATH: fixture('plain.pem') })
  await credential.authorization()

  const form = authority.requests[0]!.form
  t.equal(form.get('client_assertion_type'), 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
  const leaf = leafOf('plain.pem')
  const { payload, protectedHeader } = await jwtVerify(
    form.get('client_assertion')!,
    await importX509(leaf.toString(), 'PS256'),
    {
      issuer: CLIENT_ID,
      subject: CLIENT_ID,
      audience: `https://login.microsoftonline.com/${TENANT}/oauth2/v2.0/token`,
    },
  )
  t.match(protectedHeader, { alg: 'PS256', 'x5t#S256': createHash('sha256').update(leaf.raw).digest('base64url') })
  t.equal(protectedHeader.x5c, undefined)
  t.match(payload.jti, /.+/)
})

t.test('each token request has its own assertion', async (t) => {
  const { authority, credential } = await credentialFor(t, {
    AZURE_CLIENT_CERTIFICATE_PATH: fixture('aes.pfx'),
    AZURE_CLIENT_CERTIFICATE_PASSWORD: 'pässword',
  })
  await credential.authorization()
  credential.reload()
  await until(() => credential.state().renewals === 2)
  t.not(authority.requests[0]!.form.get('client_assertion'), authority.requests[1]!.form.get('client_assertion'))
})

t.test('sends the certificate chain if configured (subject name and issuer authentication)', async (t) => {
  const { authority, credential } = await credentialFor(t, {
    AZURE_CLIENT_CERTIFICATE_PATH: fixture('chain.pem'),
    AZURE_CLIENT_SEND_CERTIFICATE_CHAIN: 'true',
  })
  await credential.authorization()
  const { x5c } = decodeProtectedHeader(authority.requests[0]!.form.get('client_assertion')!)
  t.same(
    x5c?.map((one) => new X509Certificate(Buffer.from(one, 'base64')).subject),
    ['CN=gateway.contoso.example', 'CN=gateway test authority'],
  )
})

t.test('logs the thumbprint as shown in the portal, and the expiry date', async (t) => {
  const { log, credential } = await credentialFor(t, { AZURE_CLIENT_CERTIFICATE_PATH: fixture('plain.pem') })
  await credential.authorization()
  t.match(
    log.lines.find(({ sentence }) => sentence === 'certificate'),
    {
      facts: { thumbprint: leafOf('plain.pem').fingerprint.replaceAll(':', ''), ends: '2126-10-27T13:07:34.000Z' },
    },
  )
})

t.test('an unusable file is a 502, and the log has the fix', async (t) => {
  const { log, credential } = await credentialFor(t, {
    AZURE_CLIENT_CERTIFICATE_PATH: fixture('aes.pfx'),
    AZURE_CLIENT_CERTIFICATE_PASSWORD: 'wr0ng',
  })
  await t.rejects(credential.authorization() as Promise<string>, { code: 'GATEWAY_CREDENTIAL_REJECTED' })
  t.match(log.lines.at(-1), { level: 'error', sentence: /password does not fit/ })
  t.notMatch(JSON.stringify(log.lines), /wr0ng/)
})

t.test('a certificate that is not registered is explained', async (t) => {
  const { authority, credential } = await credentialFor(t, { AZURE_CLIENT_CERTIFICATE_PATH: fixture('plain.pem') })
  authority.respond = refusesWith(401, 'invalid_client', 700027)
  await t.rejects(credential.authorization() as Promise<string>, { code: 'GATEWAY_CREDENTIAL_REJECTED' })
  t.match(credential.state().lastFailure, /AADSTS700027.*Upload the certificate/)
})

t.test('a certificate is replaced under load without a failed request', async (t) => {
  const dir = t.testdir({})
  copyFileSync(fixture('plain.pem'), `${dir}/now.pem`)
  const { authority, credential, log } = await credentialFor(t, { AZURE_CLIENT_CERTIFICATE_PATH: `${dir}/now.pem` })
  authority.respond = issuesToken(2)
  await credential.authorization()
  let stop = false
  let served = 0
  const load = (async () => {
    while (!stop) {
      t.match(await credential.authorization(), /^Bearer token-/)
      served += 1
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })()
  copyFileSync(fixture('chain.pem'), `${dir}/now.pem`)
  const used = (): boolean =>
    decodeProtectedHeader(authority.requests.at(-1)!.form.get('client_assertion')!)['x5t#S256'] !== undefined &&
    authority.requests.some(
      ({ form }) =>
        decodeProtectedHeader(form.get('client_assertion')!)['x5t#S256'] !==
        decodeProtectedHeader(authority.requests[0]!.form.get('client_assertion')!)['x5t#S256'],
    )
  await until(used)
  copyFileSync(fixture('mismatch.pem'), `${dir}/now.pem`)
  await until(() => log.lines.some(({ sentence }) => /belongs to another certificate/.test(sentence)))
  const before = served
  await until(() => served > before + 50)
  stop = true
  await load

  t.equal(credential.state().failures, 0)
})

t.test('warns 30, 7 and 1 days before a certificate expires', async (t) => {
  const DAY = 24 * 3_600_000
  t.same(
    [31, 30, 8, 7, 2, 1, 0, -5].map((days) => dueWarning(days * DAY)),
    [undefined, 30, 30, 7, 7, 1, 1, 1],
  )
  const { log, credential } = await credentialFor(t, { AZURE_CLIENT_CERTIFICATE_PATH: fixture('ended.pem') })
  await credential.authorization()
  credential.reload()
  await until(() => credential.state().renewals === 2)
  t.match(
    log.lines.filter(({ level }) => level === 'warn'),
    [{ sentence: /has expired/ }],
    'once',
  )
})

t.test('a missing certificate file is explained, and the old certificate stays in use', async (t) => {
  const dir = t.testdir({})
  copyFileSync(fixture('plain.pem'), `${dir}/now.pem`)
  const { log, credential } = await credentialFor(t, { AZURE_CLIENT_CERTIFICATE_PATH: `${dir}/now.pem` })
  await credential.authorization()
  rmSync(`${dir}/now.pem`)
  credential.reload()
  await until(() => credential.state().renewals === 2)
  t.match(log.lines.findLast(({ level }) => level === 'error')?.sentence, /old one stays.*cannot be read \(ENOENT\)/)
})

t.test('a certificate that expires soon is a warning', async (t) => {
  for (const [days, when] of [
    [10, 'within 30 days'],
    [5, 'within 7 days'],
    [0.5, 'within a day'],
  ] as const) {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'gateway' }], {
      keySize: 2048,
      algorithm: 'sha256',
      notAfterDate: new Date(Date.now() + days * 86_400_000),
    })
    const folder = t.testdir({ 'soon.pem': cert + key })
    const { credential, log } = await credentialFor(t, { AZURE_CLIENT_CERTIFICATE_PATH: `${folder}/soon.pem` })
    await credential.authorization()
    const warned = log.lines.find(({ level }) => level === 'warn')
    t.match(warned, { sentence: `credential expires ${when}: upload a new one` })
  }
})
