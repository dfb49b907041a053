import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import t from 'tap'

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))

t.test('serve prints all configuration errors on stderr, and exits with status 1', async (t) => {
  const { status, stdout, stderr } = await gateway(t.testdir(), ['serve'], {
    DYNAMICS_URL: 'https://make.powerapps.com/environments/1/home',
    PORT: 'x',
    AZURE_TENANT_ID: 'contoso.com',
  })

  t.equal(status, 1)
  t.equal(stdout, '')
  t.match(stderr, /^The settings have \d errors:\n/)
  for (const error of [
    / {2}- DYNAMICS_URL is the maker portal/,
    / {2}- PORT is not a whole number/,
    / {2}- AZURE_CLIENT_ID is missing/,
    / {2}- AZURE_CLIENT_SECRET is missing/,
  ]) {
    t.match(stderr, error)
  }
  t.notMatch(stderr, /\n {4}at /, 'no stack')
})

t.test('serve is the default command, also with options alone', async (t) => {
  const folder = t.testdir({ 'gateway.yaml': 'prot: 1' })
  t.match(await gateway(folder, [], {}), { status: 1, stderr: /DYNAMICS_URL is missing/ })
  t.match(await gateway(folder, ['--config', 'gateway.yaml'], {}), {
    status: 1,
    stderr: /prot \(in the settings file\) is not a setting\. Did you mean port\?/,
  })
  t.match(await gateway(folder, [], { GATEWAY_CONFIG: 'other.yaml' }), {
    status: 1,
    stderr: /other\.yaml cannot be read \(ENOENT\)/,
  })
})

t.test('.env in the working directory is read', async (t) => {
  const folder = t.testdir({ '.env': 'DYNAMICS_URL=contoso\n' })
  t.match(await gateway(folder, ['serve'], {}), { status: 1, stderr: /DYNAMICS_URL is not a complete host name/ })
})

t.test('configuration errors show no secret', async (t) => {
  const { stdout, stderr } = await gateway(t.testdir(), ['serve'], {
    DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
    AZURE_CLIENT_SECRET: 's3cret~value',
    AZURE_CLIENT_ID: 'x',
  })
  t.notMatch(stdout + stderr, 's3cret')
})

t.test('a port in use is reported with status 1', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  const { status, stderr } = await gateway(t.testdir(), ['serve'], {
    DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
    CREDENTIAL: 'managed-identity',
    PORT: String(port),
    LOG_LEVEL: 'silent',
    IDENTITY_ENDPOINT: 'http://127.0.0.1:1/',
    IDENTITY_HEADER: 'x',
  })

  t.equal(status, 1)
  t.match(stderr, `127.0.0.1, port ${port}, is already in use`)
  t.notMatch(stderr, /\n {4}at /, 'no stack')
  t.match(await gateway(t.testdir(), ['demo', '--port', String(port)], {}), { status: 1, stderr: /is already in use/ })
})

t.test('healthcheck needs only the address of the gateway', async (t) => {
  t.match(await gateway(t.testdir(), ['healthcheck'], { PORT: '1' }), {
    status: 1,
    stderr: 'The gateway at 127.0.0.1, port 1, cannot be reached: connect ECONNREFUSED 127.0.0.1:1.\n',
  })
})

t.test('check reports the same errors as serve', async (t) => {
  const valid = { DYNAMICS_URL: 'https://contoso.crm4.dynamics.com', CREDENTIAL: 'managed-identity' }
  for (const [env, fault] of [
    [{ AUDIT_LOG: '/nope/x' }, /AUDIT_LOG names a file that cannot be written \(ENOENT\)/],
    [{ HOST: 'unix:/nope/gateway.sock' }, /HOST names a socket in a folder that does not exist/],
    [{ HOST: `unix:/tmp/${'s'.repeat(103)}` }, /HOST names a socket whose path is longer than 107 bytes/],
    [
      { HOST: '192.0.2.1', TRUST_NETWORK: 'true', LOG_LEVEL: 'silent' },
      /192\.0\.2\.1, port 8080, is not an address of this machine/,
    ],
    [{ NODE_OPTIONS: '--heapsnapshot-near-heap-limit=1' }, /writes the memory/],
  ] as const) {
    const serve = await gateway(t.testdir(), ['serve'], { ...valid, ...env })
    const check = await gateway(t.testdir(), ['check'], { ...valid, ...env })
    t.match(serve, { status: 1, stdout: '', stderr: fault })
    t.same(check, serve)
  }
})

t.test('a misspelled variable is reported in the log and by check', async (t) => {
  const env = {
    DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
    CREDENTIAL: 'managed-identity',
    LOG_FORMAT: 'json',
    IDENTITY_ENDPOINT: 'http://127.0.0.1:1/',
    IDENTITY_HEADER: 'x',
    LOGLEVEL: 'debug',
  }
  const warning = /LOGLEVEL is not a setting\. Did you mean LOG_LEVEL\?/
  // Ends serve.
  const unavailableAddress = { HOST: '192.0.2.1', TRUST_NETWORK: 'true' }
  t.match(await gateway(t.testdir(), ['serve'], { ...env, ...unavailableAddress }), { status: 1, stdout: warning })
  t.match(await gateway(t.testdir(), ['check'], env), { status: 2, stdout: warning })
  const { stdout } = await gateway(t.testdir(), ['check', '--json'], env)
  t.match(JSON.parse(stdout), { ok: false, warnings: [warning] })
})

/** Runs the command line in `folder` until it ends. */
function gateway(
  folder: string,
  words: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...words], {
    cwd: join(folder),
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text: Buffer) => {
    stdout += text.toString()
  })
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString()
  })
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, stdout, stderr })))
}
