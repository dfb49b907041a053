import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import t from 'tap'
import type { Test } from 'tap'

import { until } from '../support/until.ts'

t.setTimeout(600_000)

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))

/** Runs the demo until it prints a request to try, or ends. */
async function demoFor(
  t: Test,
  files: Record<string, string>,
  words: readonly string[],
  env: Record<string, string> = {},
) {
  const child = spawn(process.execPath, [MAIN, 'demo', ...words], {
    cwd: t.testdir(files),
    env: {
      PATH: process.env['PATH'],
      PORT: '0',
      LOG_FORMAT: 'json',
      // Long enough for a busy machine. A settings file has its own timeout.
      ...(words.includes('--config') || 'GATEWAY_CONFIG' in env ? {} : { TOKEN_TIMEOUT: '60s' }),
      ...env,
    },
  })
  t.teardown(() => (child.kill('SIGTERM'), ended))
  let output = ''
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', resolve)
  })
  const invited = new Promise<void>((resolve) => {
    const read = (text: Buffer): void => {
      output += String(text)
      if (output.includes('Ctrl+C stops it')) resolve()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
  })
  await Promise.race([invited, ended])
  return { child, ended, output, said: () => output, url: /sample data, at (\S+)/.exec(output)?.[1] ?? '' }
}

const KEY = 'dgk_0123456789abcdef0123456789abcdef0123456789a'
const hash = createHash('sha256').update(KEY).digest('hex')

/** As in production: with secrets that do not exist here, and a product that is not emulated. */
const GATEWAY = `
callers:
  - name: dashboard
    keys: [${hash}]
    rules: [read-only, allow GET accounts, allow GET WhoAmI]
targets:
  - name: sales
    url: https://contoso-sales.crm4.dynamics.com
    credential:
      kind: client-secret
      tenantId: 11111111-2222-3333-4444-555555555555
      clientId: 66666666-7777-8888-9999-000000000000
      secret: { env: SALES_CLIENT_SECRET }
    impersonation: { mode: required }
    tokenTimeout: 60s
  - name: service
    url: https://contoso-service.crm9.dynamics.com
    credential: { kind: certificate, tenantId: x.y, clientId: 66666666-7777-8888-9999-000000000000, file: /nowhere.pem }
    impersonation: { header: x-forwarded-email }
    tokenTimeout: 60s
  - name: finance
    url: https://contoso.operations.dynamics.com
    credential: { kind: managed-identity }
    tokenTimeout: 60s
`

t.test('applies callers, rules and several targets of a settings file, each with its own emulator', async (t) => {
  const { url, output, child, ended } = await demoFor(t, { 'gateway.yaml': GATEWAY }, ['--config', 'gateway.yaml'])
  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${url}${path}`, { headers: { 'x-api-key': KEY, ...headers } })
  const adele = 'adele.vance@contoso.com'

  t.equal((await fetch(`${url}/sales/accounts`)).status, 401, 'callers are listed')
  t.match(await (await get('/sales/accounts')).json(), { error: { code: 'GATEWAY_USER_REQUIRED' } })
  t.equal((await get('/sales/accounts', { 'x-user-email': adele })).status, 200)
  t.match(await (await get('/sales/contacts', { 'x-user-email': adele })).json(), {
    error: { code: 'GATEWAY_CALLER_NOT_ALLOWED' },
  })
  t.equal((await get('/service/accounts', { 'x-forwarded-email': adele })).status, 200)
  t.equal((await get('/finance/WhoAmI')).status, 200)
  t.equal((await get('/accounts')).status, 404)
  t.match(output, /Targets: \S+\/sales, \S+\/service, \S+\/finance/)
  t.match(output, /finance is not a Dataverse environment/)
  t.match(output, /curl -H "X-Api-Key: \$KEY" -H "x-user-email: adele\.vance@contoso\.com" "\S+\/sales\/accounts/)

  child.kill('SIGTERM')
  t.equal(await ended, 0)
})

t.test('variables apply as for serve', async (t) => {
  const { url, output } = await demoFor(t, { '.env': 'USER_EMAIL_HEADER=x-person\n' }, [], {
    IMPERSONATION: 'required',
    HTTPS_PROXY: 'http://a:b#c@d',
    AZURE_CLIENT_ID: 'not yet',
    DYNAMICS_URL: 'https://later',
  })

  t.match(await (await fetch(`${url}/accounts`)).json(), { error: { code: 'GATEWAY_USER_REQUIRED' } })
  t.equal((await fetch(`${url}/accounts`, { headers: { 'x-person': 'adele.vance@contoso.com' } })).status, 200)
  t.match(output, /curl -H "x-person: adele/)
})

t.test('tells callers with Entra tokens to send one', async (t) => {
  const issuer = 'https://login.microsoftonline.com/7a5f4d1e-3c2b-4e9a-8f61-0d9b2c7e4a10/v2.0'
  const settings = [
    `callers: [{ name: portal, token: { issuer: "${issuer}", audience: [api], roles: [Read] } }]`,
    'targets:',
    '  - url: https://contoso.crm4.dynamics.com',
    '    credential: { kind: managed-identity }',
    '    impersonation: { mode: off }',
  ].join('\n')
  const { url, output } = await demoFor(t, { 'gateway.yaml': settings }, ['--config', 'gateway.yaml'])
  t.match(output, /send the token or certificate of one of them/)
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const token = `${part({ alg: 'RS256', kid: 'k' })}.${part({ iss: issuer, aud: 'api', exp: 9e9 })}.c2ln`
  // On a busy machine the first fetch of the issuer's keys may time out with 503. Then it is sent again.
  let status: number | undefined
  await until(async () => {
    status = (await fetch(`${url}/accounts`, { headers: { authorization: `Bearer ${token}` } })).status
    return status !== 503
  })
  t.equal(status, 401)
})

t.test('--throttle shows the wait for a service protection limit, in readable lines on a terminal', async (t) => {
  const { url, said } = await demoFor(t, {}, ['--throttle', '--port', '0'], { LOG_FORMAT: 'pretty' })
  await until(() => said().includes('Every fourth request meets a limit of three seconds'))
  t.equal((await fetch(`${url}/accounts`)).status, 200)
  await until(() => / GET /.test(said()))
})

t.test('--fault with a number makes Entra refuse, and check explains it', async (t) => {
  const { said } = await demoFor(t, {}, ['--fault', 'AADSTS7000222'])
  await until(() => said().includes('A step failed'))
  t.match(said(), /AADSTS7000222/)
})

t.test('prints commands that reach a gateway on all addresses, or on a socket', async (t) => {
  const { url, output } = await demoFor(t, {}, [], { HOST: '0.0.0.0', TRUST_NETWORK: 'true' })
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)
  t.notMatch(output, /\/\/0\.0\.0\.0/)
  t.equal((await fetch(`${url}/accounts`)).status, 200)

  const path = join(mkdtempSync('/tmp/demo-'), 'gateway.sock')
  t.teardown(() => rmSync(dirname(path), { recursive: true }))
  const onSocket = await demoFor(t, {}, [], { HOST: `unix:${path}` })
  t.match(onSocket.output, `curl --unix-socket ${path} "http://localhost/accounts`)
})

t.test('suggests no user with IMPERSONATION=off', async (t) => {
  const { url, output } = await demoFor(t, {}, [], { IMPERSONATION: 'off' })

  t.equal((await fetch(`${url}/accounts`)).status, 200)
  t.notMatch(output, /adele/i)
})

t.test('reports wrong options and exits with 1', async (t) => {
  const cases: [words: string[], env: Record<string, string>, fault: RegExp][] = [
    [['--port', 'abc'], {}, /--port must be a port number from 0 to 65535/],
    [['--port', '70000', '--fault', 'x'], {}, /--port must be a port number.*--fault must be an error code/s],
    [[], { PORT: 'abc' }, /PORT is not a whole number/],
    [[], { IMPERSONATION: 'sometimes' }, /IMPERSONATION is not known/],
    [['--config', 'nowhere.yaml'], {}, /nowhere\.yaml cannot be read/],
    [['--config', 'gateway.yaml'], {}, /targets\[0\]\.url .*is the maker portal/],
    [
      ['--config', 'gateway.yaml'],
      { IMPERSONATION: 'required' },
      /IMPERSONATION: a settings file describes the targets/,
    ],
    [[], { GATEWAY_CONFIG: 'gateway.yaml' }, /targets\[0\]\.url .*is the maker portal/],
  ]
  for (const [words, env, fault] of cases) {
    const { ended, output } = await demoFor(
      t,
      {
        'gateway.yaml':
          'targets: [{ name: a, url: "https://make.powerapps.com/x", credential: { kind: delegated } }, 7]',
      },
      words,
      env,
    )
    t.equal(await ended, 1, words.join(' '))
    t.match(output, fault)
  }
})

for (const [fault, said] of [
  ['no-delegate', /prvActOnBehalfOfAnotherUser/],
  ['no-privilege', /the user has no security role/],
  ['ip-firewall', /IP firewall blocks/],
] as const) {
  t.test(`--fault ${fault} breaks the environment, and check explains it`, async (t) => {
    const demo = await demoFor(t, {}, ['--fault', fault])
    const { status } = await fetch(`${demo.url}/accounts`, { headers: { 'x-user-email': 'adele.vance@contoso.com' } })

    t.ok(status >= 400, String(status))
    await until(() => demo.said().includes('A step failed'))
    demo.child.kill('SIGTERM')
    t.equal(await demo.ended, 0)
    t.match(demo.said(), said)
  })
}
