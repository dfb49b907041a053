import { fileURLToPath } from 'node:url'

import t from 'tap'

import { check } from '../../src/commands/check/check.ts'
import type { CommandIo } from '../../src/commands/command-io.ts'
import { credentialFileErrors } from '../../src/commands/credential-files.ts'
import { serve } from '../../src/commands/serve/serve.ts'
import { loadSettings } from '../../src/config/load.ts'

const FOUR = {
  DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
  AZURE_TENANT_ID: '11111111-2222-3333-4444-555555555555',
  AZURE_CLIENT_ID: '11111111-2222-3333-4444-666666666666',
}

function errorsOf(variables: Readonly<Record<string, string>>, file?: string): readonly string[] {
  return credentialFileErrors(loadSettings(variables, file), file)
}

t.test('an unusable certificate is an error at startup that says how to fix it', async (t) => {
  const folder = t.testdir({ 'no.pem': 'MARKER' })
  const fixture = (name: string): string =>
    fileURLToPath(new URL(`../../../test/credentials/certificates/${name}`, import.meta.url))
  const path = `${folder}/no.pem`
  t.same(errorsOf({ ...FOUR, AZURE_CLIENT_CERTIFICATE_PATH: fixture('plain.pem') }), [])
  t.same(errorsOf({ ...FOUR, AZURE_CLIENT_SECRET: 'x' }), [])
  t.same(errorsOf({ ...FOUR, AZURE_CLIENT_CERTIFICATE_PATH: path }), [
    `AZURE_CLIENT_CERTIFICATE_PATH names ${path}, which cannot be used. ` +
      'It is neither PEM nor PFX, or damaged. Export the certificate with its private key again.',
  ])
  t.match(
    errorsOf({
      ...FOUR,
      AZURE_CLIENT_CERTIFICATE_PATH: fixture('aes.pfx'),
      AZURE_CLIENT_CERTIFICATE_PASSWORD: 'wr0ng',
    }),
    [/The password does not fit. Set AZURE_CLIENT_CERTIFICATE_PASSWORD/],
  )
  const credential = `{ kind: on-behalf-of, tenantId: ${FOUR.AZURE_TENANT_ID}, clientId: ${FOUR.AZURE_CLIENT_ID}, `
  const settings = (proof: string): string => {
    const files = t.testdir({
      'no.pem': 'MARKER',
      'gateway.yaml': [
        'callers: [{ name: app, token: { issuer: https://login.microsoftonline.com/x/v2.0, audience: a, clientIds: [b] }, userFrom: on-behalf-of }]',
        `targets: [{ url: ${FOUR.DYNAMICS_URL}, impersonation: { mode: off }, credential: ${credential}${proof} } }]`,
      ].join('\n'),
    })
    return `${files}/gateway.yaml`
  }
  t.match(errorsOf({}, settings(`certificateFile: ${path}`)), [
    /^targets\[0\]\.credential\.certificateFile \(in the settings file\) names .* neither PEM nor PFX/,
  ])
  t.same(errorsOf({ S: 'x' }, settings('secret: { env: S }')), [])
})

t.test('both serve and check report it', async (t) => {
  const folder = t.testdir({
    'no.pem': 'MARKER',
    'gateway.yaml': [
      'port: 0',
      'targets:',
      `  - url: ${FOUR.DYNAMICS_URL}`,
      `    credential: { kind: certificate, tenantId: ${FOUR.AZURE_TENANT_ID}, clientId: ${FOUR.AZURE_CLIENT_ID}, file: ${t.testdirName}/no.pem }`,
    ].join('\n'),
  })
  const config = `${folder}/gateway.yaml`
  const refusal = { message: /targets\[0\]\.credential\.file \(in the settings file\) names / }
  const io = { settings: loadSettings({}, config), settingsFile: config } as CommandIo
  await t.rejects(serve({ config }, io), refusal)
  await t.rejects(check({}, io), refusal)
})
