import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'

import t from 'tap'

import { load, loadListener, loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/schema.ts'
import { SettingsError } from '../../src/config/settings-error.ts'
import { credentialKinds } from '../../src/config/settings/credential.ts'
import { settingsByVariable } from '../support/settings-by-variable.ts'

const TENANT = '7a5f4d1e-3c2b-4e9a-8f61-0d9b2c7e4a10'
const CLIENT = '3f0c1b9e-58d2-4a76-9c1d-6e2f7b8a4d35'
const SECRET = 'Kx8~n0t.4-real_s3cret'
const FOUR = {
  DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
  AZURE_TENANT_ID: TENANT,
  AZURE_CLIENT_ID: CLIENT,
  AZURE_CLIENT_SECRET: SECRET,
}

t.test('four variables are enough', async (t) => {
  const settings = loadSettings(FOUR, undefined)

  t.match(settings, {
    host: '127.0.0.1',
    port: 8080,
    trustNetwork: false,
    allowedHosts: [],
    publicUrl: undefined,
    shutdownTimeout: 25_000,
    shutdownDelay: 300,
    logLevel: 'info',
    tls: undefined,
    callers: [],
    targets: [
      {
        name: undefined,
        url: { product: 'dataverse', origin: 'https://contoso.crm4.dynamics.com', apiRoot: '/api/data/v9.2' },
        credential: { kind: 'client-secret', tenantId: TENANT, clientId: CLIENT },
        impersonation: { mode: 'optional', header: 'x-user-email' },
        maxRetryWait: 10_000,
        requestTimeout: 125_000,
        tokenTimeout: 5000,
      },
    ],
  })
  const { credential } = settings.targets[0]!
  t.equal(credential.kind === 'client-secret' && credential.secret.reveal(), SECRET)
})

t.test('all errors are shown at once, each with its variable and a fix', async (t) => {
  const errors = errorsOf({
    DYNAMICS_URL: 'http://contoso.crm4.dynamics.com',
    AZURE_TENANT_ID: TENANT,
    AZURE_CLIENT_ID: 'my-app',
    PORT: '80a',
    LOG_LEVEL: 'loud',
    IMPERSONATION: 'yes',
    HOST: '0.0.0.0',
    MAX_RETRY_WAIT: '10',
    USER_EMAIL_HEADER: 'x user',
    TRUST_NETWORK: 'perhaps',
    PUBLIC_URL: 'gateway',
    ALLOWED_HOSTS: 'a b',
    TRUSTED_PROXIES: '10.0.0.0/64',
    DYNAMICS_SCOPE: 'https://contoso.crm4.dynamics.com/user_impersonation',
    AZURE_AUTHORITY_HOST: 'http://login.microsoftonline.com',
    BODY_LIMIT: '1GB',
    ALLOWED_ORIGINS: 'app',
  })

  for (const [variable, what] of [
    ['DYNAMICS_URL', /write https:\/\//],
    ['AZURE_CLIENT_ID', /not an application id: write the Application \(client\) ID/],
    ['AZURE_CLIENT_SECRET', /is missing.* Write/],
    ['PORT', /not a whole number from 0 to 65535/],
    ['LOG_LEVEL', /write one of trace, debug/],
    ['IMPERSONATION', /write one of off, optional, required/],
    ['MAX_RETRY_WAIT', /write a time such as 1500ms/],
    ['USER_EMAIL_HEADER', /header name/],
    ['TRUST_NETWORK', /write true or false/],
    ['PUBLIC_URL', /write a URL such as/],
    ['ALLOWED_HOSTS', /write names such as/],
    ['TRUSTED_PROXIES', /write addresses such as/],
    ['DYNAMICS_SCOPE', /does not end in \/\.default: write/],
    ['AZURE_AUTHORITY_HOST', /https:\/\/ address: write/],
    ['BODY_LIMIT', /write a size such as/],
    ['ALLOWED_ORIGINS', /write origins such as/],
  ] as const) {
    const own = errors.filter((error) => error.startsWith(`${variable} `))
    t.equal(own.length, 1, variable)
    t.match(own[0], what, variable)
  }
  t.equal(errors.length, 16)
})

t.test('the message counts and lists the errors', async (t) => {
  t.match(messageOf({ ...FOUR, PORT: 'x' }), /^The settings have an error:\n {2}- PORT is not/)
  t.match(messageOf({ ...FOUR, PORT: 'x', LOG_LEVEL: 'y' }), /^The settings have 2 errors:\n {2}- .+\n {2}- .+$/)
})

t.test('with nothing set, all four variables are named', async (t) => {
  const errors = errorsOf({}).join('\n')
  for (const variable of Object.keys(FOUR)) t.match(errors, variable)
})

t.test('a misspelt variable is an error that names the right one', async (t) => {
  for (const [wrong, right] of [
    ['DYNAMICS_ULR', 'DYNAMICS_URL'],
    ['DYNAMIC_URL', 'DYNAMICS_URL'],
    ['DYNAMICS_URI', 'DYNAMICS_URL'],
    ['DATAVERSE_URL', 'DYNAMICS_URL'],
    ['AZURE_TENANTID', 'AZURE_TENANT_ID'],
    ['AZURE_TENANT', 'AZURE_TENANT_ID'],
    ['AZURE_CLIENTID', 'AZURE_CLIENT_ID'],
    ['DYNAMICS_CLIENT_ID', 'AZURE_CLIENT_ID'],
    ['AZURE_CLIENT_SECERT', 'AZURE_CLIENT_SECRET'],
    ['DYNAMICS_CLIENT_SECRET', 'AZURE_CLIENT_SECRET'],
  ] as const) {
    const { [right]: value, ...others } = FOUR
    const errors = errorsOf({ ...others, [wrong]: value })
    t.ok(
      errors.some((error) => error.startsWith(`${wrong} is not a setting`) && error.includes(right)),
      wrong,
    )
  }
  for (const [wrong, right] of [
    ['IMPERSONATON', 'IMPERSONATION'],
    ['IMPERSONATE', 'IMPERSONATION'],
    ['USER_MAIL_HEADER', 'USER_EMAIL_HEADER'],
    ['TRUSTNETWORK', 'TRUST_NETWORK'],
    ['ALLOWED_HOST', 'ALLOWED_HOSTS'],
    ['AZURE_AUTHORITYHOST', 'AZURE_AUTHORITY_HOST'],
    ['CREDENTIALS', 'CREDENTIAL'],
    ['USER_PRELOAD', 'USERS_PRELOAD'],
    ['USERS_PRELOD', 'USERS_PRELOAD'],
    ['SCHEMA_CACH', 'SCHEMA_CACHE'],
    ['REDIS_ENCRYPTON_KEY', 'REDIS_ENCRYPTION_KEY'],
  ] as const) {
    t.same(errorsOf({ ...FOUR, [wrong]: 'x' }), [`${wrong} is not a setting. Did you mean ${right}?`], wrong)
  }
})

t.test('variables of other programs are ignored', async (t) => {
  const others = {
    DYNAMICS_PORT: 'tcp://10.0.0.1:80',
    DYNAMICS_SERVICE_HOST: '10.0.0.1',
    DYNAMICS_GATEWAY_PORT_8080_TCP_ADDR: '10.0.0.1',
    DYNAMICS_GATEWAY_SERVICE_PORT: '8080',
    AZURE_SUBSCRIPTION_ID: TENANT,
    AZURE_CLIENT_OBJECT_ID: CLIENT,
    HOSTNAME: 'web-1',
    PORTS: '1',
    LOGLEVEL: 'x',
    HOSTS: 'y',
    USERNAME: 'me',
    PUBLIC_URI: 'z',
    POST: '1',
  }
  t.equal(loadSettings({ ...FOUR, ...others }, undefined).port, 8080)
})

t.test('white space, quotes and upper case left by shells and files are normalised', async (t) => {
  const settings = loadSettings(
    {
      DYNAMICS_URL: ' "https://contoso.crm4.dynamics.com"\r',
      AZURE_TENANT_ID: `'${TENANT}'`,
      AZURE_CLIENT_ID: `${CLIENT}\r\n`,
      AZURE_CLIENT_SECRET: `"${SECRET}"\r`,
      PORT: '"9090"\r',
      LOG_LEVEL: 'DEBUG ',
      TRUST_NETWORK: 'True',
      IMPERSONATION: '"Required"',
      HOST: ' 0.0.0.0 ',
      MAX_RETRY_WAIT: ' 5s',
      USER_EMAIL_HEADER: 'X-User-Email',
      REQUEST_TIMEOUT: '',
      CREDENTIAL: '  ',
    },
    undefined,
  )

  t.match(settings, {
    port: 9090,
    logLevel: 'debug',
    trustNetwork: true,
    host: '0.0.0.0',
    targets: [
      {
        url: { origin: 'https://contoso.crm4.dynamics.com' },
        credential: { tenantId: TENANT, clientId: CLIENT },
        impersonation: { mode: 'required', header: 'x-user-email' },
        maxRetryWait: 5000,
        requestTimeout: 125_000,
      },
    ],
  })
  t.equal(revealed(settings), SECRET)
})

t.test('times and sizes', async (t) => {
  for (const [written, milliseconds] of [
    ['0ms', 0],
    ['1500ms', 1500],
    ['10s', 10_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['596h', 2_145_600_000],
  ] as const) {
    t.equal(
      loadSettings({ ...FOUR, MAX_RETRY_WAIT: written }, undefined).targets[0]!.maxRetryWait,
      milliseconds,
      written,
    )
  }
  for (const wrong of ['10', '-1s', '1.5s', '10 s', '10S', '1d', 's', 'ten', '1e3ms', '597h', '9999999999s', '0x10s']) {
    t.match(errorsOf({ ...FOUR, MAX_RETRY_WAIT: wrong }), [/^MAX_RETRY_WAIT is .*write/], wrong)
  }
  t.match(errorsOf({ ...FOUR, REQUEST_TIMEOUT: '0s' }), [/^REQUEST_TIMEOUT is too short: write at least 1ms/])
  for (const [written, bytes] of [
    ['0B', 0],
    ['500B', 500],
    ['64KiB', 65_536],
    ['128MiB', 134_217_728],
    ['1GiB', 1_073_741_824],
  ] as const) {
    t.equal(loadSettings({ ...FOUR, BODY_LIMIT: written }, undefined).bodyLimit, bytes, written)
  }
  for (const wrong of ['1024', '1KB', '1kib', '1.5MiB', '-1B', 'GiB']) {
    t.match(errorsOf({ ...FOUR, BODY_LIMIT: wrong }), [/^BODY_LIMIT is not a size: write a size/], wrong)
  }
})

t.test('ports', async (t) => {
  t.equal(loadSettings({ ...FOUR, PORT: '0' }, undefined).port, 0)
  t.equal(loadSettings({ ...FOUR, PORT: '65535' }, undefined).port, 65_535)
  for (const wrong of ['65536', '-1', '80.5', '8080x', '1e3', '0x50', 'tcp://10.0.0.1:80']) {
    t.equal(errorsOf({ ...FOUR, PORT: wrong }).length, 1, wrong)
  }
})

t.test('the kind of credential is derived from the variables', async (t) => {
  const folder = t.testdir({ 'app.pem': 'x', token: 'y' })
  const { AZURE_CLIENT_SECRET, ...three } = FOUR
  const kind = (env: NodeJS.ProcessEnv): string => loadSettings(env, undefined).targets[0]!.credential.kind

  t.equal(kind(FOUR), 'client-secret')
  t.equal(kind({ ...three, AZURE_CLIENT_CERTIFICATE_PATH: join(folder, 'app.pem') }), 'certificate')
  t.equal(kind({ ...three, AZURE_FEDERATED_TOKEN_FILE: join(folder, 'token') }), 'workload-identity')
  t.equal(kind({ DYNAMICS_URL: FOUR.DYNAMICS_URL }), 'managed-identity')
  t.equal(
    kind({ DYNAMICS_URL: FOUR.DYNAMICS_URL, AZURE_CLIENT_ID: CLIENT }),
    'managed-identity',
    'a client id alone means a user-assigned managed identity',
  )
  t.equal(kind({ ...three, CREDENTIAL: 'managed-identity' }), 'managed-identity')
  t.equal(kind({ ...three, CREDENTIAL: 'delegated' }), 'delegated')
  t.equal(kind({ ...FOUR, CREDENTIAL: 'delegated' }), 'delegated', 'a confidential app has a secret')
  t.equal(kind({ ...FOUR, CREDENTIAL: 'client-secret', AZURE_FEDERATED_TOKEN_FILE: '' }), 'client-secret')
})

t.test('a named kind together with variables of another kind is an error that names both', async (t) => {
  const folder = t.testdir({ 'app.pem': 'x', token: 'y', secret: SECRET })
  const { AZURE_CLIENT_SECRET, ...three } = FOUR
  const pem = { AZURE_CLIENT_CERTIFICATE_PATH: join(folder, 'app.pem') }
  const token = { AZURE_FEDERATED_TOKEN_FILE: join(folder, 'token') }

  for (const [env, kind, others] of [
    [{ ...FOUR, CREDENTIAL: 'managed-identity' }, 'managed-identity', 'AZURE_CLIENT_SECRET'],
    [
      { ...three, AZURE_CLIENT_SECRET_FILE: join(folder, 'secret'), CREDENTIAL: 'managed-identity' },
      'managed-identity',
      'AZURE_CLIENT_SECRET',
    ],
    [{ ...three, ...pem, CREDENTIAL: '"managed-identity"' }, 'managed-identity', 'AZURE_CLIENT_CERTIFICATE_PATH'],
    [{ ...three, ...token, CREDENTIAL: 'managed-identity' }, 'managed-identity', 'AZURE_FEDERATED_TOKEN_FILE'],
    [{ ...three, ...pem, CREDENTIAL: 'delegated' }, 'delegated', 'AZURE_CLIENT_CERTIFICATE_PATH'],
    [
      { ...FOUR, ...pem, ...token, CREDENTIAL: 'delegated' },
      'delegated',
      'AZURE_CLIENT_CERTIFICATE_PATH and AZURE_FEDERATED_TOKEN_FILE',
    ],
    [{ ...FOUR, ...token, CREDENTIAL: 'client-secret' }, 'client-secret', 'AZURE_FEDERATED_TOKEN_FILE'],
    [{ ...FOUR, ...pem, CREDENTIAL: 'certificate' }, 'certificate', 'AZURE_CLIENT_SECRET'],
  ] as const) {
    t.match(
      [...errorsOf({ ...env, PORT: 'x' })].sort(),
      [new RegExp(`^CREDENTIAL is ${kind}, and ${others} .*only one kind.*Remove ${others}`), /^PORT /],
      `${kind} and ${others}`,
    )
  }
})

t.test('no kind of credential, two kinds, or an unknown kind is an error that names them', async (t) => {
  const folder = t.testdir({ 'app.pem': 'x' })
  const { AZURE_CLIENT_SECRET, ...three } = FOUR

  t.match(errorsOf(three), [
    /^AZURE_CLIENT_SECRET is missing.*AZURE_CLIENT_CERTIFICATE_PATH.*AZURE_FEDERATED_TOKEN_FILE.*CREDENTIAL.*AZURE_TENANT_ID/,
  ])
  t.match(errorsOf({ ...FOUR, AZURE_CLIENT_CERTIFICATE_PATH: join(folder, 'app.pem') }), [
    /^AZURE_CLIENT_SECRET and AZURE_CLIENT_CERTIFICATE_PATH are .*set.*only one kind.*remove all but one/,
  ])
  t.match(errorsOf({ ...FOUR, CREDENTIAL: 'prod' }), [
    new RegExp(`^CREDENTIAL is not known: write one of ${Object.keys(credentialKinds).join(', ')}`),
  ])
  t.match(errorsOf({ DYNAMICS_URL: FOUR.DYNAMICS_URL, AZURE_CLIENT_SECRET: SECRET }), [
    /^AZURE_TENANT_ID is missing/,
    /^AZURE_CLIENT_ID is missing/,
  ])
  t.match(errorsOf({ ...three, AZURE_CLIENT_CERTIFICATE_PATH: join(folder, 'other.pem') }), [
    /^AZURE_CLIENT_CERTIFICATE_PATH names a file that cannot be read \(ENOENT\): fix/,
  ])
  t.match(
    errorsOf({
      DYNAMICS_URL: FOUR.DYNAMICS_URL,
      CREDENTIAL: 'client-secret',
      AZURE_TENANT_ID: TENANT,
      AZURE_CLIENT_ID: CLIENT,
    }),
    [/^AZURE_CLIENT_SECRET is missing/],
  )
})

t.test('NAME_FILE reads a secret from a file, and again when it changes', async (t) => {
  const file = join(t.testdir({ secret: `${SECRET}\n` }), 'secret')
  const { AZURE_CLIENT_SECRET, ...three } = FOUR
  const settings = loadSettings({ ...three, AZURE_CLIENT_SECRET_FILE: file }, undefined)

  t.equal(revealed(settings), SECRET)
  writeFileSync(file, '\uFEFFnext\r\n')
  t.equal(revealed(settings), 'next')
  t.same(errorsOf({ ...FOUR, AZURE_CLIENT_SECRET_FILE: file }), [
    'AZURE_CLIENT_SECRET and AZURE_CLIENT_SECRET_FILE are both set: remove one of them.',
  ])
  t.match(errorsOf({ ...three, AZURE_CLIENT_SECRET_FILE: '/nowhere/secret' }), [
    /^AZURE_CLIENT_SECRET_FILE names a file that cannot be read \(ENOENT\): fix/,
  ])
  writeFileSync(file, ' \n')
  t.match(errorsOf({ ...three, AZURE_CLIENT_SECRET_FILE: file }), [
    /^AZURE_CLIENT_SECRET_FILE names a file that is empty/,
  ])
})

t.test('it listens beyond loopback only if the operator allows it', async (t) => {
  for (const host of ['0.0.0.0', '::', '10.1.2.3', 'gateway.contoso.com', '127.0.0.1.evil.example']) {
    t.match(errorsOf({ ...FOUR, HOST: host }), [/^HOST is .*TRUST_NETWORK=true/], host)
    t.equal(loadSettings({ ...FOUR, HOST: host, TRUST_NETWORK: 'true' }, undefined).host, host)
  }
  for (const host of ['127.0.0.1', '127.5.6.7', '::1', '[::1]', 'localhost', 'unix:/run/gateway.sock']) {
    t.equal(loadSettings({ ...FOUR, HOST: host }, undefined).host, host)
  }
  for (const wrong of ['http://127.0.0.1', '127.0.0.1:8080', '*', ':8080', '0.0.0.0/0']) {
    t.match(errorsOf({ ...FOUR, HOST: wrong, TRUST_NETWORK: 'true' }), [/^HOST is not an address: write/], wrong)
  }
  t.match(
    errorsOf({ ...FOUR, HOST: 'unix:gateway.sock' }),
    [/^HOST is not an address: write/],
    'a socket needs an absolute path',
  )
})

t.test('a file describes any number of targets', async (t) => {
  const file = written(
    t,
    `
port: 9000
targets:
  - name: sales
    url: contoso.crm4.dynamics.com
    credential: { kind: client-secret, tenantId: ${TENANT}, clientId: ${CLIENT}, secret: { env: AZURE_CLIENT_SECRET_SALES } }
    impersonation: { mode: required, remember: 5m }
  - name: finance
    url: https://contoso.operations.dynamics.com
    credential: { kind: managed-identity }
    impersonation: { mode: 'off' }
`,
  )
  const settings = loadSettings(
    { AZURE_CLIENT_SECRET_SALES: SECRET, AZURE_CLIENT_SECRET_2: 'other', HOST: '127.0.0.2' },
    file,
  )

  t.match(settings, {
    port: 9000,
    host: '127.0.0.2',
    targets: [
      {
        name: 'sales',
        url: { product: 'dataverse' },
        impersonation: { mode: 'required', remember: 300_000, rememberUnknown: 60_000 },
        requestTimeout: 125_000,
      },
      {
        name: 'finance',
        url: { product: 'finance-and-operations' },
        credential: { kind: 'managed-identity', clientId: undefined },
      },
    ],
  })
  t.equal(revealed(settings), SECRET)
})

t.test('a settings file may be JSON, and GATEWAY_CONFIG names it', async (t) => {
  const file = written(
    t,
    JSON.stringify({
      targets: [{ url: 'https://contoso.crm4.dynamics.com', credential: { kind: 'managed-identity' } }],
    }),
  )
  t.equal(loadSettings({ GATEWAY_CONFIG: file }, undefined).targets.length, 1)
})

t.test('variables override the file in settings of the process, and cannot describe a target beside it', async (t) => {
  const file = written(
    t,
    'port: 9000\nlogLevel: warn\ntargets: [{ url: contoso.crm4.dynamics.com, credential: { kind: managed-identity } }]',
  )

  t.match(loadSettings({ PORT: '9001', AZURE_TENANT_ID: TENANT, AZURE_CLIENT_ID: CLIENT }, file), {
    port: 9001,
    logLevel: 'warn',
  })
  t.match(errorsOf({ DYNAMICS_URL: 'https://x.crm.dynamics.com', IMPERSONATION: 'off' }, file), [
    /^DYNAMICS_URL, IMPERSONATION: .*Remove them, or the file/,
  ])
  t.match(errorsOf({ CREDENTIAL: 'delegated' }, file), [/^CREDENTIAL: .*Remove/])
})

t.test('errors in a file name the path of the setting', async (t) => {
  const file = written(
    t,
    `
prot: 9000
target: []
targets:
  - name: Sales
    url: https://make.powerapps.com
    credential: { kind: client-secret, tenantId: ${TENANT}, clientId: ${CLIENT}, secret: ${SECRET}, password: x }
    impersonation: off
  - url: contoso.crm4.dynamics.com
    credential: { kind: clientsecret }
    maxRetryWait: 10
`,
  )
  const errors = errorsOf({}, file)

  for (const what of [
    /^prot \(in the settings file\) is not a setting\. Did you mean port\?/,
    /^target .* is not a setting\. Did you mean targets\?/,
    /^targets\[0\]\.name .* is not a valid prefix/,
    /^targets\[0\]\.url .* is the maker portal/,
    /^targets\[0\]\.credential\.secret .* must not be written here: write \{ env: NAME \} or \{ file: path \}/,
    /^targets\[0\]\.credential\.password .* is not a setting/,
    /^targets\[0\]\.impersonation .* must hold named settings/,
    /^targets\[1\]\.credential\.kind .* is not known: write one of client-secret/,
    /^targets\[1\]\.maxRetryWait .* is not a duration/,
  ])
    t.ok(
      errors.some((error) => what.test(error)),
      String(what),
    )
  t.notMatch(errors.join('\n'), SECRET)
})

t.test('a value of the wrong type in a file is an error', async (t) => {
  const target = `url: contoso.crm4.dynamics.com\n    credential: { kind: managed-identity }`
  for (const [lines, what] of [
    ['allowedHosts: gateway.contoso.com', undefined],
    ['allowedHosts: { a: 1 }', /^allowedHosts .*must be a list: write host names/],
    ['allowedHosts: [{ a: 1 }]', /^allowedHosts .*must be a text: write host names/],
    ['port: "9000"', undefined],
    ['port: 90.5', /^port .*is not a whole number/],
    ['port: [1]', /^port .*is not a whole number/],
    ['host: { a: 1 }', /^host .*must be a text/],
    ['trustNetwork: 1', /^trustNetwork .*neither true nor false/],
    ['trustNetwork: on', /^trustNetwork .*neither true nor false/],
    ['logLevel: 30', /^logLevel .*is not known/],
    ['shutdownTimeout: 25', /^shutdownTimeout .*not a duration/],
    ['toString: 1', /^toString .*is not a setting/],
    ['__proto__: { port: 1 }', /^__proto__ .*is not a setting/],
    ['tls: {}', /^tls\.certificate .*is missing/],
    ['tls: null', /^tls .*is empty: write a value/],
    ['anybody: 7', /^anybody .*must hold named settings/],
  ] as const) {
    const errors = errorsOf({}, written(t, `${lines}\ntargets:\n  - ${target}\n`))
    if (what === undefined) t.same(errors, [], lines)
    else
      t.ok(
        errors.some((error) => what.test(error)),
        `${lines}: ${errors.join(' ')}`,
      )
  }
  for (const kind of ['constructor', 'toString', 'null', '[managed-identity]', '7']) {
    t.match(
      errorsOf({}, written(t, `targets: [{ url: contoso.crm4.dynamics.com, credential: { kind: ${kind} } }]`)),
      [/^targets\[0\]\.credential\.kind .*: write one of client-secret/],
      kind,
    )
  }
  t.match(errorsOf({}, written(t, 'targets: [{ url: contoso.crm4.dynamics.com, credential: managed-identity }]')), [
    /credential\.kind .*is missing: write one of/,
  ])
  for (const secret of ['{ env: A, file: b }', '{}', '{ env: A, more: b }', '7', '{ env: 7 }', '[a]']) {
    t.match(
      errorsOf(
        { A: 'x' },
        written(
          t,
          'targets: [{ url: contoso.crm4.dynamics.com, credential: { kind: ' +
            `client-secret, tenantId: ${TENANT}, clientId: ${CLIENT}, secret: ${secret} } }]`,
        ),
      ),
      [/^targets\[0\]\.credential\.secret .*write \{ env: NAME \} or \{ file: path \}/],
      secret,
    )
  }
})

t.test('lists, origins and URLs in variables', async (t) => {
  t.match(
    loadSettings(
      {
        ...FOUR,
        ALLOWED_HOSTS: 'gateway.contoso.com, other.contoso.com,',
        ALLOWED_ORIGINS: 'https://App.contoso.com',
        TRUSTED_PROXIES: '10.0.0.0/8,::1, 192.168.1.1,fd00::/8',
        PUBLIC_URL: 'https://dynamics.contoso.com/crm/',
        REQUIRED_HEADER: 'x-gateway: true',
      },
      undefined,
    ),
    {
      allowedHosts: ['gateway.contoso.com', 'other.contoso.com'],
      allowedOrigins: ['https://app.contoso.com'],
      trustedProxies: ['10.0.0.0/8', '::1', '192.168.1.1', 'fd00::/8'],
      publicUrl: 'https://dynamics.contoso.com/crm',
      requiredHeader: 'x-gateway: true',
    },
  )
  for (const [variable, wrong] of [
    ['TRUSTED_PROXIES', '10.0.0.1/33'],
    ['TRUSTED_PROXIES', '999.1.1.1'],
    ['TRUSTED_PROXIES', 'proxy.contoso.com'],
    ['TRUSTED_PROXIES', '::1/129'],
    ['TRUSTED_PROXIES', '/8'],
    ['ALLOWED_ORIGINS', 'https://app.contoso.com/'],
    ['ALLOWED_ORIGINS', '*'],
    ['ALLOWED_ORIGINS', 'null'],
    ['PUBLIC_URL', 'dynamics.contoso.com'],
    ['PUBLIC_URL', 'ftp://x.y'],
    ['PUBLIC_URL', 'https://dynamics.contoso.com/?a=b'],
    ['AZURE_AUTHORITY_HOST', 'https://me:hunter2@idp.contoso.local'],
    ['AZURE_AUTHORITY_HOST', 'idp contoso'],
    ['REQUIRED_HEADER', 'x gateway'],
    ['ALLOWED_HOSTS', 'https://gateway.contoso.com'],
    ['ALLOWED_HOSTS', '.'],
    ['ALLOWED_HOSTS', 'gateway..contoso.com'],
    ['ALLOWED_HOSTS', 'gateway.contoso.com:65536'],
    ['REQUIRED_HEADER', 'x-gateway:'],
  ] as const)
    t.match(errorsOf({ ...FOUR, [variable]: wrong }), [new RegExp(`^${variable} .*write `)], `${variable}=${wrong}`)
})

t.test('every invalid entry of a list is reported', async (t) => {
  t.match(
    errorsOf(
      {},
      written(
        t,
        `
anybody: { rules: [readonly, no-delete, permit GET accounts, allow GET], users: [me] }
targets: [{ url: contoso.crm4.dynamics.com, credential: { kind: managed-identity } }]
`,
      ),
    ),
    [
      /^anybody\.users .*names no user/,
      /^anybody\.rules \(in the settings file\) holds the rule "readonly".*did you mean read-only/,
      /^anybody\.rules .*"permit GET accounts"/,
      /^anybody\.rules .*"allow GET", which is not complete/,
    ],
  )
  t.equal(errorsOf({ ...FOUR, ALLOWED_HOSTS: 'a b,c d' }).length, 1)
})

t.test('for a key that is the name of a variable or belongs elsewhere, the error names the right key', async (t) => {
  const errors = errorsOf(
    {},
    written(
      t,
      `
LOG_LEVEL: debug
targets: [{ url: contoso.crm4.dynamics.com, MAX_RETRY_WAIT: 5s, header: x-user, credential: { kind: managed-identity } }]
`,
    ),
  )
  t.match(errors, [
    'LOG_LEVEL (in the settings file) is not a setting. Did you mean logLevel?',
    'targets[0].MAX_RETRY_WAIT (in the settings file) is not a setting. Did you mean maxRetryWait?',
    'targets[0].header (in the settings file) is not a setting. Did you mean impersonation.header?',
  ])
})

t.test('a setting without a value in a file is an error, and never the default', async (t) => {
  const errors = errorsOf(
    {},
    written(
      t,
      `
trustNetwork:
callers:
anybody: { users: , rules: }
requiredHeader: ~
targets: [{ url: contoso.crm4.dynamics.com, impersonation: { mode: }, credential: { kind: managed-identity, clientId: } }]
`,
    ),
  )
  t.same(errors.map((error) => /^(\S+) .* is empty: write a value, or remove the line\.$/.exec(error)?.[1]).sort(), [
    'anybody.rules',
    'anybody.users',
    'callers',
    'requiredHeader',
    'targets[0].credential.clientId',
    'targets[0].impersonation.mode',
    'trustNetwork',
  ])
})

t.test('rules for anybody beside a list of callers are an error, because they would apply to nobody', async (t) => {
  const errorsIn = (lines: string): readonly string[] =>
    errorsOf(
      {},
      written(t, `${lines}\ntargets: [{ url: contoso.crm4.dynamics.com, credential: { kind: managed-identity } }]`),
    )
  const callers = `callers: [{ name: a, keys: ['${'0'.repeat(64)}'] }]`
  t.same(errorsIn(callers), [])
  t.same(errorsIn('anybody: { rules: [read-only], users: [] }'), [])
  t.same(errorsIn(`anybody: { rules: [], users: ['*'] }\n${callers}`), [])
  t.match(errorsIn(`anybody: { rules: [read-only] }\n${callers}`), [
    /^anybody: its rules and users apply only while no/,
  ])
  t.match(errorsIn(`anybody: { users: [] }\n${callers}`), [/^anybody: its rules and users apply only while no/])
})

t.test('distinguishes a misspelt kind of credential from a setting of another kind', async (t) => {
  const errorsIn = (credential: string): readonly string[] =>
    errorsOf({}, written(t, `targets: [{ url: contoso.crm4.dynamics.com, credential: ${credential} }]`))
  t.match(errorsIn('{ kind: managed-identity, authority: x }'), [
    'targets[0].credential.authority (in the settings file) is not a setting. Did you mean targets[].authorityHost?',
  ])
  t.match(errorsIn('{ kind: manged-identity }'), [
    /credential\.kind .*is not known: .* Did you mean managed-identity\?$/,
  ])
  t.match(errorsIn('{ kind: [x] }'), [/credential\.kind .*is not known: write one of/])
  t.match(errorsIn('{ knid: managed-identity }'), [/credential\.knid .*is not a setting. Did you mean kind\?$/])
  t.match(errorsIn('managed-identity'), [/credential\.kind .*is missing: write one of/])
  t.match(errorsIn('{ kind: managed-identity, certificateFile: /x }'), [
    /credential\.certificateFile .*is not a setting of managed-identity, but of on-behalf-of\.$/,
  ])
})

t.test('a template placeholder in any setting is an error, in a variable and in a file', async (t) => {
  const variablesOf = ({ settings }: (typeof credentialKinds)[keyof typeof credentialKinds]): string[] =>
    Object.values<{ env?: string }>(settings.members).flatMap(({ env }) => env ?? [])
  const ofThisKind = variablesOf(credentialKinds['client-secret'])
  const ofOtherKinds = Object.values(credentialKinds)
    .flatMap(variablesOf)
    .filter((variable) => !ofThisKind.includes(variable))
  for (const left of ['${VALUE}', '{value}', '<value>', 'your-value-here', '\u201Cvalue\u201D', 'a\u00A0b']) {
    for (const [variable, { secret }] of settingsByVariable()) {
      if (ofOtherKinds.includes(variable)) continue
      const beside = /^REDIS_(?!URL)/.test(variable) ? { REDIS_URL: 'redis://redis' } : {}
      const errors = errorsOf({ ...FOUR, ...beside, [variable]: left })
      t.match(errors, [new RegExp(`^${variable} holds .*: write `)], `${variable}=${left}`)
      if (secret === true) t.notMatch(errors.join(), left)
    }
    t.match(
      errorsOf(
        {},
        written(
          t,
          JSON.stringify({
            logLevel: left,
            allowedHosts: ['localhost', left],
            anybody: { users: [left] },
            targets: [
              { name: left, url: left, credential: { kind: 'managed-identity', clientId: left }, keepBody: left },
            ],
          }),
        ),
      ).length,
      7,
      left,
    )
  }
})

t.test('a header with another meaning cannot name the user', async (t) => {
  for (const name of ['authorization', 'Host', 'cookie', 'content-type', 'connection', 'x-api-key']) {
    t.match(errorsOf({ ...FOUR, USER_EMAIL_HEADER: name }), [/^USER_EMAIL_HEADER is .*another meaning: write/], name)
  }
  t.match(errorsOf({ ...FOUR, REQUIRED_HEADER: 'accept' }), [/^REQUIRED_HEADER is accept, .*write/])
})

t.test('the headers that name users must differ, and so must the columns of addresses', async (t) => {
  for (const name of ['x-user-email', 'x-useremail']) {
    t.match(errorsOf({ ...FOUR, USER_ID_HEADER: name }), [/^USER_EMAIL_HEADER and USER_ID_HEADER are both .*name two/])
  }
  const none =
    'url: contoso.crm4.dynamics.com, credential: { kind: managed-identity }, impersonation: { emailColumns: [] }'
  const atLeastOne = [/^USER_EMAIL_COLUMNS must name at least one/]
  t.match(errorsOf({}, written(t, `targets: [{ ${none} }]`)), atLeastOne)
  t.match(errorsOf({ ...FOUR, USER_EMAIL_COLUMNS: 'domainname,domainname' }), atLeastOne)
  for (const columns of ['Domain Name', "a' or 'a", 'a'.repeat(101)]) {
    t.match(errorsOf({ ...FOUR, USER_EMAIL_COLUMNS: columns }), [
      /^USER_EMAIL_COLUMNS holds something that is not a column/,
    ])
  }
})

t.test('users are preloaded only where the gateway acts as users', async (t) => {
  for (const [variables, fault] of [
    [{ IMPERSONATION: 'off' }, /^USERS_PRELOAD has no use with IMPERSONATION=off: set it to false/],
    [
      { IMPERSONATION_VERIFY: 'true' },
      /^USERS_PRELOAD has no use with IMPERSONATION_VERIFY.*: set one of them to false/,
    ],
    [{ DYNAMICS_URL: 'https://contoso.operations.dynamics.com' }, /^USERS_PRELOAD has no use for this product/],
  ] as const) {
    t.match(errorsOf({ ...FOUR, USERS_PRELOAD: 'true', ...variables }), [fault])
  }
  t.same(errorsOf({ ...FOUR, USERS_PRELOAD: 'true' }), [])
})

t.test('a settings file that is missing or malformed is an error', async (t) => {
  t.match(errorsOf({}, '/nowhere/gateway.yaml'), [/^\/nowhere\/gateway\.yaml cannot be read \(ENOENT\): fix the path/])
  t.match(errorsOf({}, written(t, `targets: [\n  { secret: *${SECRET}`)), [
    /is neither JSON nor YAML( \(line \d+, column \d+\))?: fix/,
  ])
  t.match(errorsOf({}, written(t, '- url: x')), [/holds no named settings/])
  t.match(errorsOf({}, written(t, 'hello')), [/holds no named settings/])
  t.match(errorsOf({}, written(t, '')), [/^targets is empty/])
  t.match(errorsOf({}, written(t, 'targets: {}')), [/^targets .*must be a list/])
})

t.test('several targets need distinct names', async (t) => {
  const one = 'url: contoso.crm4.dynamics.com, credential: { kind: managed-identity }'
  t.match(errorsOf({}, written(t, `targets: [{ ${one} }, { ${one} }]`)), [/each needs its own name/])
  t.match(errorsOf({}, written(t, `targets: [{ name: a, ${one} }, { name: a, ${one} }]`)), [/two are called a/])
})

t.test('an app registration needs a specific tenant', async (t) => {
  for (const tenant of ['common', 'organizations', 'Consumers']) {
    t.match(
      errorsOf({ ...FOUR, AZURE_TENANT_ID: tenant }),
      [/^AZURE_TENANT_ID .*only people can sign in through: write the Directory \(tenant\) ID/],
      tenant,
    )
  }
  t.equal(
    loadSettings({ ...FOUR, AZURE_TENANT_ID: 'organizations', CREDENTIAL: 'delegated' }, undefined).targets[0]!
      .credential.kind,
    'delegated',
  )
})

t.test('impersonation cannot be configured for a product that does not support it', async (t) => {
  t.match(errorsOf({ ...FOUR, DYNAMICS_URL: 'https://contoso.operations.dynamics.com', IMPERSONATION: 'required' }), [
    /^IMPERSONATION is required, but .*set it to off/,
  ])
})

t.test('a custom authority is accepted, without its trailing slash', async (t) => {
  for (const [written, taken] of [
    ['https://login.microsoftonline.us/', 'https://login.microsoftonline.us'],
    ['login.microsoftonline.us', 'https://login.microsoftonline.us'],
    ['https://entra.contoso.local:8443', 'https://entra.contoso.local:8443'],
    [`https://login.microsoftonline.com/${TENANT}/oauth2/v2.0/token`, 'https://login.microsoftonline.com'],
    ['https://idp.contoso.local/realms/crm/', 'https://idp.contoso.local/realms/crm'],
  ] as const)
    t.equal(loadSettings({ ...FOUR, AZURE_AUTHORITY_HOST: written }, undefined).targets[0]!.authorityHost, taken)
})

t.test('neither printed settings nor errors contain a secret', async (t) => {
  const file = written(
    t,
    `targets: [{ url: contoso.crm4.dynamics.com, credential: { kind: client-secret, tenantId: ${TENANT}, clientId: ` +
      `${CLIENT}, secret: { env: '${SECRET}' } } }]`,
  )
  const settings = loadSettings(FOUR, undefined)

  for (const shown of [
    inspect(settings, { depth: Infinity, showHidden: true, getters: true }),
    JSON.stringify(settings),
    String(settings),
    inspect(structuredCloneable(settings)),
    inspected({}, file),
    messageOf({}, file),
    messageOf({ ...FOUR, PORT: 'x', AZURE_CLIENT_SECRET_FILE: SECRET }),
    messageOf({ ...FOUR, AZURE_CLIENT_ID: 'x', DYNAMICS_URL: `https://me:${SECRET}@contoso.com` }),
  ])
    t.notMatch(shown, SECRET)
})

t.test('a .env that cannot be read is an error', async (t) => {
  const before = process.cwd()
  t.teardown(() => process.chdir(before))
  process.chdir(t.testdir({ '.env': {} }))
  t.throws(() => load(undefined), { message: /\.env cannot be read \(EISDIR\)/ })
})

t.test('the address to listen at is read without checking the other settings', async (t) => {
  t.match(loadListener({ HOST: '0.0.0.0', PORT: '9000', IMPERSONATION: 'nonsense' }, undefined), {
    host: '0.0.0.0',
    port: 9000,
    tls: undefined,
  })
  t.match(loadListener({ PORT: '9001' }, written(t, 'port: 9000\nhost: 127.0.0.2\ntargets: []')), {
    host: '127.0.0.2',
    port: 9001,
  })
  t.throws(() => loadListener({ PORT: 'x' }, undefined), { message: /PORT is not/ })
  t.throws(() => loadListener({}, written(t, 'tls: { kye: /k.pem }')), { message: /tls\.kye .*Did you mean key\?/ })
  t.throws(() => loadListener({}, written(t, 'tls: { key: /k.pem }')), {
    message: /tls\.certificate .* is missing/,
  })
})

t.test('a secret from an unset variable is an error, and so is userFrom without impersonation', async (t) => {
  const file = (rest: string): string =>
    written(
      t,
      `targets: [{ url: contoso.crm4.dynamics.com, credential: { kind: client-secret, tenantId: ${TENANT}, ` +
        `clientId: ${CLIENT}, secret: { env: AZURE_CLIENT_SECRET } }, impersonation: { mode: off } }]\n${rest}`,
    )
  t.match(errorsOf({}, file('')), [
    /^targets\[0\]\.credential\.secret .*names the variable AZURE_CLIENT_SECRET, which is not set\.$/,
  ])
  const caller =
    'callers: [{ name: a, userFrom: email, token: { issuer: "https://idp.example", audience: [api], roles: [Read] } }]'
  t.match(
    errorsOf({ AZURE_CLIENT_SECRET: SECRET }, file(caller)).join('\n'),
    /takes the user from its token: set the mode/,
  )
})

/** A settings file. */
function written(t: { testdir: (files: Record<string, string>) => string }, text: string): string {
  return join(t.testdir({ 'gateway.yaml': text }), 'gateway.yaml')
}

function errorsOf(env: NodeJS.ProcessEnv, file?: string): readonly string[] {
  try {
    loadSettings(env, file)
    return []
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    return error.errors
  }
}

function messageOf(env: NodeJS.ProcessEnv, file?: string): string {
  try {
    loadSettings(env, file)
    return ''
  } catch (error) {
    return `${(error as Error).message}`
  }
}

/** An error as a crash would print it. */
function inspected(env: NodeJS.ProcessEnv, file: string): string {
  try {
    loadSettings(env, file)
    return ''
  } catch (error) {
    return inspect(error, { depth: Infinity, showHidden: true })
  }
}

function revealed({ targets }: Settings): string | undefined {
  const { credential } = targets[0]!
  return credential.kind === 'client-secret' ? credential.secret.reveal() : undefined
}

/** What a crash dump may contain: everything that is not a function. */
function structuredCloneable(settings: Settings): unknown {
  return JSON.parse(JSON.stringify(settings, (_, value: unknown) => value ?? null))
}

t.test('with a delegated sign-in, impersonation is off unless it is configured', (t) => {
  const { AZURE_CLIENT_SECRET: _, ...three } = FOUR
  const mode = (env: NodeJS.ProcessEnv): unknown => loadSettings(env, undefined).targets[0]!.impersonation.mode
  t.equal(mode({ ...three, CREDENTIAL: 'delegated' }), 'off')
  t.equal(mode({ ...three, CREDENTIAL: 'delegated', IMPERSONATION_VERIFY: 'true' }), 'off')
  t.equal(mode({ ...three, CREDENTIAL: 'delegated', IMPERSONATION: 'optional' }), 'optional')
  t.equal(mode(FOUR), 'optional')

  const file = (impersonation: object) =>
    `${t.testdir({
      'gateway.json': JSON.stringify({
        targets: [
          {
            url: FOUR.DYNAMICS_URL,
            credential: { kind: 'delegated', tenantId: FOUR.AZURE_TENANT_ID, clientId: FOUR.AZURE_CLIENT_ID },
            ...impersonation,
          },
        ],
      }),
    })}/gateway.json`
  t.equal(loadSettings({}, file({})).targets[0]!.impersonation.mode, 'off')
  t.equal(loadSettings({}, file({ impersonation: { header: 'x-user' } })).targets[0]!.impersonation.mode, 'off')
  t.equal(loadSettings({}, file({ impersonation: { mode: 'required' } })).targets[0]!.impersonation.mode, 'required')
  t.throws(() => loadSettings({}, file({ impersonation: 'off' })), /impersonation/)
  t.end()
})
