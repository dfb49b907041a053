import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import t from 'tap'
import type { Test } from 'tap'

import { settingsReader } from '../../src/commands/serve/settings-reader.ts'
import { dotEnvFile } from '../../src/config/dot-env-file.ts'
import { load } from '../../src/config/load.ts'
import type { Loaded } from '../../src/config/load.ts'
import { SettingsError } from '../../src/config/settings-error.ts'

const HOME = process.cwd()
const FOUR = [
  'DYNAMICS_URL=https://contoso.crm4.dynamics.com',
  'AZURE_TENANT_ID=7a5f4d1e-3c2b-4e9a-8f61-0d9b2c7e4a10',
  'AZURE_CLIENT_ID=3f0c1b9e-58d2-4a76-9c1d-6e2f7b8a4d35',
  'AZURE_CLIENT_SECRET=Kx8~n0t.4-real_s3cret',
  '',
].join('\n')

t.test(
  'a line of .env that is not a variable is an error with file and line number, reported with all others',
  async (t) => {
    const folder = enter(t, `${FOUR}set IMPERSONATION=required\nPORT=x\n`)
    t.match(errorsOf(), [`${folder}/.env: line 5 `, /^PORT is not a whole number/])
  },
)

t.test('the syntax of Compose is accepted', async (t) => {
  enter(t, `${FOUR}IMPERSONATION: required\n`)
  t.equal(loaded().settings.targets[0]!.impersonation.mode, 'required')
})

t.test('a name in .env that is not a setting is an error that suggests the right name', async (t) => {
  const folder = enter(
    t,
    [
      FOUR,
      'IMPERSONATION_MODE=required',
      'log_level=debug',
      'DATABASE_URL=x',
      'DYNAMICS_ULR=x',
      'NODE_USE_SYSTEM_CA=1',
      'HTTPS_PROXY=http://127.0.0.1:3128',
      'no_proxy=x',
      'COMPOSE_PROJECT_NAME=x',
      'AZURE_CLIENT_SECRET_FILE=',
      'OTEL_SERVICE_NAME=x',
    ].join('\n'),
  )
  t.match(errorsOf(), [
    `${folder}/.env: line 6: IMPERSONATION_MODE is not a setting. Did you mean IMPERSONATION?`,
    `${folder}/.env: line 7: log_level is not a setting. Did you mean LOG_LEVEL?`,
    `${folder}/.env: line 8: DATABASE_URL is not a setting. `,
    `${folder}/.env: line 9: DYNAMICS_ULR is not a setting. Did you mean DYNAMICS_URL?`,
    `${folder}/.env: line 10: NODE_USE_SYSTEM_CA has no effect here`,
  ])
})

t.test('a variable that a settings file takes a secret from may be in .env', async (t) => {
  const folder = enter(t, 'SALES_SECRET=Kx8~n0t.4-real_s3cret\nOTHER=x\n')
  writeFileSync(
    join(folder, 'gateway.yaml'),
    'targets: [{ url: contoso.crm4.dynamics.com, credential: { kind: client-secret, ' +
      'tenantId: contoso.com, clientId: 3f0c1b9e-58d2-4a76-9c1d-6e2f7b8a4d35, secret: { env: SALES_SECRET } } }]',
  )
  t.match(errorsOf('gateway.yaml'), [/line 2: OTHER is not a setting/])
})

for (const name of ['CREDENTIAL_1', 'AZURE_CLIENT_SECRET_2', 'LOGLEVEL']) {
  t.test(`a variable that a settings file takes a secret from may resemble a setting: ${name}`, async (t) => {
    const folder = enter(t, '')
    writeFileSync(
      join(folder, 'gateway.yaml'),
      'targets: [{ url: contoso.crm4.dynamics.com, credential: { kind: client-secret, ' +
        `tenantId: contoso.com, clientId: 3f0c1b9e-58d2-4a76-9c1d-6e2f7b8a4d35, secret: { env: ${name} } } }]`,
    )
    set(t, { [name]: 'Kx8~n0t.4-real_s3cret', AUDITLOG: 'x' })
    t.same(loaded('gateway.yaml').warnings, ['AUDITLOG is not a setting. Did you mean AUDIT_LOG?'])
  })
}

t.test('if the settings file cannot be read, names in .env are not checked', async (t) => {
  const folder = enter(t, 'SALES_SECRET=Kx8~n0t.4-real_s3cret\nTZ=UTC\n')
  writeFileSync(join(folder, 'broken.yaml'), '{broken')
  for (const file of ['missing.yaml', 'broken.yaml', folder]) {
    const errors = errorsOf(file).join('\n')
    t.match(errors, /cannot be read|neither JSON nor YAML/)
    t.notMatch(errors, 'SALES_SECRET')
    t.match(errors, 'TZ has no effect here')
  }
})

t.test('a folder in place of a file is an error when settings are read again', async (t) => {
  const folder = enter(t, FOUR)
  const read = settingsReader('gateway.json')
  t.equal(read(), undefined)
  mkdirSync(join(folder, 'gateway.json'))
  t.throws(read, { message: /gateway\.json cannot be read \(EISDIR\)/ })
  rmSync(join(folder, '.env'))
  mkdirSync(join(folder, '.env'))
  t.throws(read, { message: /\.env cannot be read \(EISDIR\)/ })
})

t.test('a misspelt name in the environment, which other programs share, is a warning', async (t) => {
  enter(t, FOUR)
  set(t, {
    LOGLEVEL: 'debug',
    IMPERSONATION_MODE: 'required',
    ALLOW_HOSTS: 'x',
    AUDITLOG: 'x',
    log_level: 'debug',
    HOSTNAME: 'x',
  })
  t.same([...loaded().warnings].sort(), [
    'ALLOW_HOSTS is not a setting. Did you mean ALLOWED_HOSTS?',
    'AUDITLOG is not a setting. Did you mean AUDIT_LOG?',
    'IMPERSONATION_MODE is not a setting. Did you mean IMPERSONATION?',
    'LOGLEVEL is not a setting. Did you mean LOG_LEVEL?',
    'log_level is not a setting. Did you mean LOG_LEVEL?',
  ])
})

t.test('a .env in another encoding is an error, and its content is ignored', async (t) => {
  for (const bytes of [
    Buffer.from(`\uFEFF${FOUR}`, 'utf16le'),
    Buffer.from(FOUR, 'utf16le'),
    Buffer.from('A=\xE4', 'latin1'),
  ]) {
    const folder = enter(t, bytes)
    const { errors, variables } = dotEnvFile(folder)
    t.match(errors, [`${folder}/.env is not written in UTF-8`])
    t.same(variables, {})
  }
})

t.test('a variable that Node reads before .env may be set in both places', async (t) => {
  enter(t, `${FOUR}TZ=UTC\n`)
  set(t, { TZ: 'UTC' })
  t.equal(loaded().settings.port, 8080)
})

t.test('the error for a missing setting says where the gateway looked', async (t) => {
  const folder = enter(t, 'PORT=8080\n')
  for (const error of errorsOf()) t.match(error, `Looked for in the environment and in ${folder}/.env.`)
  process.chdir(HOME)
  const empty = t.testdir({})
  process.chdir(empty)
  t.ok(errorsOf().length > 0)
  for (const error of errorsOf()) t.match(error, `there is no ${empty}/.env.`)
})

t.test('a secret that a comment truncates is reported', async (t) => {
  const folder = enter(t, FOUR.replace('s3cret', 's3c #ret'))
  const { settings, warnings } = loaded()
  const { credential } = settings.targets[0]!
  t.match(warnings, [`AZURE_CLIENT_SECRET ends before the # in line 4 of ${folder}/.env`])
  t.match(credential, { kind: 'client-secret', secret: { doubt: /put all of it into quotes/ } })
})

t.test('a secret that another program cut at its # is reported', async (t) => {
  const folder = enter(t, FOUR.replace('s3cret', 's3c#ret'))
  set(t, { AZURE_CLIENT_SECRET: 'Kx8~n0t.4-real_s3c' })
  t.match(loaded().warnings, [`AZURE_CLIENT_SECRET in the environment ends where line 4 of ${folder}/.env has a #`])
})

t.test('no warning for a # in quotes, after another setting, or in a secret that is not in use', async (t) => {
  enter(t, `${FOUR.replace(/Kx8.*/, '"Kx8 #ret" # the secret')}PORT=8080 # the port\n`)
  t.same(loaded().warnings, [])
  enter(t, FOUR.replace('s3cret', 's3c #ret'))
  set(t, { AZURE_CLIENT_SECRET: 'another~secret' })
  t.same(loaded().warnings, [])
})

/** Creates a folder with a `.env`, and makes it the working directory. */
function enter(t: Test, text: string | Buffer): string {
  process.chdir(HOME)
  const folder = t.testdir({ '.env': text })
  process.chdir(folder)
  t.teardown(() => process.chdir(HOME))
  return folder
}

function set(t: Test, variables: Record<string, string>): void {
  Object.assign(process.env, variables)
  t.teardown(() => {
    for (const name of Object.keys(variables)) delete process.env[name]
  })
}

function loaded(file?: string): Loaded {
  return load(file)
}

function errorsOf(file?: string): readonly string[] {
  try {
    load(file)
    return []
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    return error.errors
  }
}
