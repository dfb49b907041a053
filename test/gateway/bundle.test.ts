import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import t from 'tap'
import type { Test } from 'tap'

import { version } from '../../src/commands/version.ts'
import { otlpReceiver } from '../support/otlp-receiver.ts'
import { redisServer } from '../support/redis-server.ts'
import { until } from '../support/until.ts'

const ISSUER = 'https://issuer.example'

// The image contains only the bundle, so it must work without node_modules.
const folder = mkdtempSync(join(tmpdir(), 'gateway-bundle-'))
cpSync(join(import.meta.dirname, '../../bundle'), folder, { recursive: true })
const gateway = join(folder, 'gateway.js')
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const run = promisify(execFile)
const options = { cwd: folder, env: { PATH: process.env['PATH'], HOST: '127.0.0.1', LOG_FORMAT: 'json' } }

t.test('the bundle knows its version without a package.json of the project', async (t) => {
  const { stdout } = await run(process.execPath, [gateway, '--version'], options)
  t.equal(stdout, `${version()}\n`)
})

t.test('the bundle starts where nothing may be written', async (t) => {
  const { stdout } = await run(process.execPath, [gateway, '--version'], {
    ...options,
    env: { ...options.env, NODE_COMPILE_CACHE: '/dev/null/none' },
  })
  t.equal(stdout, `${version()}\n`)
})

t.test('the bundle reads YAML settings files, and reports the position of a syntax error', async (t) => {
  const folder = t.testdir({ 'broken.yaml': 'targets:\n  - {url: ', 'unknown.yaml': 'targetz: []\n' })
  const errorsOf = (file: string): Promise<{ code: number; stderr: string }> =>
    run(process.execPath, [gateway, 'serve', '--config', join(folder, file)], options).catch((error) => error)

  t.match(await errorsOf('broken.yaml'), { code: 1, stderr: /line \d+, column \d+/ })
  t.match(await errorsOf('unknown.yaml'), { code: 1, stderr: /targetz/ })
})

t.test('healthcheck does not load the code of the gateway', async (t) => {
  const alone = join(t.testdir({ 'package.json': '{}' }), 'gateway.js')
  copyFileSync(gateway, alone)
  const server = createServer((_request, response) => response.end('ready')).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')

  const { stderr } = await run(process.execPath, [alone, 'healthcheck'], {
    ...options,
    env: { ...options.env, PORT: String((server.address() as AddressInfo).port) },
  })
  t.equal(stderr, '')
})

t.test('the build stores its compiled code', async (t) => {
  t.match(readdirSync(join(folder, '.compiled')), [new RegExp(`^[0-9a-f]{16}-${process.arch}-v`)])
})

for (const format of ['json', 'pretty']) {
  t.test(`the bundle's demo answers, with ${format} lines in its log`, async (t) => {
    const cwd = t.testdir({})
    const env = { ...options.env, LOG_FORMAT: format, NODE_COMPILE_CACHE: '' }
    const { demo, ended, address } = await demoOf(t, gateway, env, cwd)
    const answer = await fetch(`${address}/accounts?$top=1`, { headers: { 'x-user-email': 'adele.vance@contoso.com' } })
    t.equal(answer.status, 200)
    const { value } = (await answer.json()) as { value: unknown[] }
    t.equal(value.length, 1)
    demo.kill('SIGTERM')
    t.equal(await ended, 0)
    t.same(readdirSync(cwd), [], 'compiled code is neither read from nor written to the working directory')
  })
}

t.test(
  'clients of Redis and collectors, and code for tokens of callers, are loaded only for settings that need them',
  async (t) => {
    const copy = t.testdir({})
    cpSync(folder, copy, { recursive: true })
    for (const script of ['jose.js', 'redis.js', 'tracing.js']) rmSync(join(copy, script))
    const { demo, address, ended } = await demoOf(t, join(copy, 'gateway.js'), options.env, copy)

    t.equal((await fetch(`${address}/WhoAmI`)).status, 200)
    demo.kill('SIGTERM')
    t.equal(await ended, 0)
  },
)

t.test('the bundle shares state through Redis, and checks tokens of callers', async (t) => {
  const { url } = await redisServer(t)
  const cwd = t.testdir({
    'gateway.json': JSON.stringify({
      targets: [{ url: 'https://contoso.crm4.dynamics.com' }],
      callers: [
        { name: 'app', token: { issuer: ISSUER, keys: 'http://127.0.0.1:9', subjects: ['me'], audience: 'me' } },
      ],
    }),
  })
  const env = { ...options.env, GATEWAY_CONFIG: 'gateway.json', REDIS_URL: url }
  const { demo, address, ended } = await demoOf(t, gateway, env, cwd)

  const { origin } = new URL(address)
  await until(async () => /^gateway_replica_alone\S* 0$/m.test(await (await fetch(`${origin}/-/metrics`)).text()))
  const [head, claims] = [{ alg: 'RS256' }, { iss: ISSUER, aud: 'me', sub: 'me', exp: 4e9 }].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  const answer = await fetch(`${address}/WhoAmI`, { headers: { authorization: `Bearer ${head}.${claims}.AAAA` } })
  t.match(await answer.json(), { error: { code: 'GATEWAY_CALLER_KEYS_UNAVAILABLE' } })
  demo.kill('SIGTERM')
  t.equal(await ended, 0)
})

t.test('the bundle exports traces, and stops in time if the collector is unreachable', async (t) => {
  const collector = await otlpReceiver(t)
  const env = { ...options.env, OTEL_BSP_SCHEDULE_DELAY: '20' }
  const traced = await demoOf(t, gateway, { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint }, t.testdir({}))
  await fetch(`${traced.address}/WhoAmI`, { headers: { 'x-request-id': 'bundled' } })
  t.match((await collector.spansOf('bundled'))[0], { name: 'GET /WhoAmI' })
  traced.demo.kill('SIGTERM')
  t.equal(await traced.ended, 0)

  const lost = await demoOf(t, gateway, { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }, t.testdir({}))
  await fetch(`${lost.address}/WhoAmI`)
  const began = performance.now()
  lost.demo.kill('SIGTERM')
  t.equal(await lost.ended, 0)
  t.ok(performance.now() - began < 9000, 'the exporter would try for ten seconds')
})

interface Demo {
  readonly demo: ChildProcess
  readonly address: string
  readonly ended: Promise<unknown>
}

/** Runs the demo of a bundle with only these variables. */
async function demoOf(t: Test, gateway: string, env: NodeJS.Dict<string>, cwd: string): Promise<Demo> {
  // tap enables source maps in each child process, which would disable compiled code.
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const demo = spawn('env', ['-i', ...variables, process.execPath, gateway, 'demo', '--port', '0'], { cwd })
  t.teardown(() => demo.kill('SIGKILL'))
  const ended = new Promise((resolve) => demo.on('exit', resolve))
  const address = await new Promise<string>((resolve, reject) => {
    let printed = ''
    const read = (chunk: Buffer): void => {
      printed += chunk.toString()
      const found = /at (http:\/\/127\.0\.0\.1:\d+)/.exec(printed)?.[1]
      if (found !== undefined) resolve(found)
    }
    demo.stdout.on('data', read)
    demo.stderr.on('data', read)
    demo.on('exit', () => reject(new Error(printed)))
  })
  return { demo, address, ended }
}
