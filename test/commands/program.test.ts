import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'

import { generate } from 'selfsigned'
import t from 'tap'
import type { Test } from 'tap'

import { startEmulator } from '../../emulator/emulator.ts'
import type { Emulator } from '../../emulator/emulator.ts'
import { until } from '../support/until.ts'

/**
 * The program in its own process, with an emulated Entra and Dynamics whose certificate is from a private authority.
 */
async function programFor(
  t: Test,
  words: readonly string[],
  env: Record<string, string> = {},
  files: (emulator: Emulator) => Record<string, string> = () => ({}),
) {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keySize: 2048,
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  } as never)
  const emulator = await startEmulator({ tls: { key, cert } })
  const { port } = new URL(emulator.origin)
  const folder = t.testdir({ 'ca.pem': cert, secret: `${emulator.clientSecret}\n`, ...files(emulator) })
  const start = (words: readonly string[]) => {
    const child = spawn(process.execPath, [new URL('../../src/main.js', import.meta.url).pathname, ...words], {
      cwd: folder,
      env: {
        PATH: process.env['PATH'],
        NODE_EXTRA_CA_CERTS: `${folder}/ca.pem`,
        DYNAMICS_URL: `https://localhost:${port}`,
        AZURE_AUTHORITY_HOST: `https://localhost:${port}`,
        AZURE_TENANT_ID: emulator.tenantId,
        AZURE_CLIENT_ID: emulator.clientId,
        AZURE_CLIENT_SECRET_FILE: `${folder}/secret`,
        PORT: '0',
        LOG_FORMAT: 'json',
        TOKEN_TIMEOUT: '60s',
        CONNECT_TIMEOUT: '60s',
        ...env,
      },
    })
    const output = { text: '', status: undefined as number | null | undefined }
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.text += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.text += text
    })
    child.on('close', (status) => {
      output.status = status
    })
    return { child, output }
  }
  const first = start(words)
  t.teardown(async () => {
    first.child.kill('SIGKILL')
    await emulator.close()
  })
  return { emulator, folder, start, ...first }
}

t.test('check runs to the end with a private authority', async (t) => {
  const { output, emulator } = await programFor(t, ['check', '--user', 'adele.vance@contoso.com'])
  await until(() => output.status !== undefined)

  t.equal(output.status, 0, output.text)
  t.match(output.text, /connection .*TLSv1\.3, certificate of localhost from localhost/)
  t.match(output.text, /as the user/)
  t.notMatch(output.text, emulator.clientSecret)
})

t.test('check --json prints configuration errors as JSON', async (t) => {
  const { output } = await programFor(t, ['check', '--json'], { PORT: 'abc' })
  await until(() => output.status !== undefined)

  t.equal(output.status, 1)
  t.match(JSON.parse(output.text), { ok: false, faults: [/^PORT/] })
})

t.test('check names an authority whose certificate is not trusted', async (t) => {
  const { output } = await programFor(t, ['check', '--json'], { NODE_EXTRA_CA_CERTS: '' })
  await until(() => output.status !== undefined)

  t.equal(output.status, 2)
  t.match(JSON.parse(output.text), {
    ok: false,
    targets: [
      {
        steps: [
          {},
          {},
          {
            step: 'connection',
            result: 'failed',
            explanation: { why: /presented certificate is from localhost/, todo: /NODE_EXTRA_CA_CERTS/ },
          },
        ],
      },
    ],
  })
})

t.test('SIGHUP reloads the secret, and running requests finish', async (t) => {
  const { emulator, folder, child, output } = await programFor(t, ['serve'], { INSPECTOR: 'true' })
  await until(() => output.text.includes('Request inspector: '))
  await until(() => emulator.tokenRequests.length === 1)
  child.kill('SIGHUP')
  await until(() => emulator.tokenRequests.length === 2)
  emulator.secrets.add('n3w')
  writeFileSync(`${folder}/secret`, 'n3w')
  await until(() => output.text.includes('the new one is in use'))
  writeFileSync(`${folder}/secret`, 'bad')
  child.kill('SIGHUP')
  await until(() => output.text.includes('the old one stays'))
  const address = /"address":"([^"]+)"/.exec(output.text)![1]!
  t.equal((await fetch(`${address}/-/readyz`)).status, 200)
  t.equal((await fetch(`${address}/WhoAmI`)).status, 200)
  writeFileSync(`${folder}/.env`, 'SHUTDOWN_DELAY=soon\n')
  child.kill('SIGHUP')
  await until(() => output.text.includes('the settings have errors, so the current ones stay in use'))

  child.kill('SIGTERM')
  await until(() => output.status !== undefined)
  t.equal(output.status, 0)
  for (const secret of [emulator.clientSecret, 'n3w', 'eyJ']) t.notMatch(output.text, secret)
})

/** Empty, so that they count as unset: a settings file describes the target instead. */
const VARIABLES_OF_TARGET = [
  'DYNAMICS_URL',
  'AZURE_AUTHORITY_HOST',
  'AZURE_TENANT_ID',
  'AZURE_CLIENT_ID',
  'AZURE_CLIENT_SECRET_FILE',
  'TOKEN_TIMEOUT',
  'CONNECT_TIMEOUT',
]

t.test('SIGHUP applies the settings file that .env names, also after a failed attempt', async (t) => {
  const fileOf = ({ origin, tenantId, clientId }: Emulator, secret: string, target: object = {}): string => {
    const url = origin.replace('127.0.0.1', 'localhost')
    const credential = { kind: 'client-secret', tenantId, clientId, secret: { file: secret } }
    return JSON.stringify({ targets: [{ url, authorityHost: url, connectTimeout: '60s', credential, ...target }] })
  }
  const { emulator, folder, child, output } = await programFor(
    t,
    ['serve'],
    Object.fromEntries(VARIABLES_OF_TARGET.map((name) => [name, ''])),
    (emulator) => ({
      '.env': 'GATEWAY_CONFIG=gateway.json\n',
      'gateway.json': fileOf(emulator, 'secret', { tokenTimeout: '60s' }),
      later: 'l4ter',
    }),
  )
  await until(() => output.text.includes('"msg":"listening"'))
  const address = /"address":"([^"]+)"/.exec(output.text)![1]!
  const status = async (): Promise<number> => (await fetch(`${address}/WhoAmI`)).status
  t.equal(await status(), 200)

  writeFileSync(
    `${folder}/gateway.json`,
    fileOf(emulator, 'later', { impersonation: { mode: 'required' }, tokenTimeout: '1s' }),
  )
  child.kill('SIGHUP')
  await until(() => output.text.includes('no token could be acquired with the new settings'))
  t.equal(await status(), 200)

  emulator.secrets.add('l4ter')
  // On a busy machine the token may take longer than its timeout.
  await until(async () => {
    child.kill('SIGHUP')
    return (await status()) === 403
  })

  child.kill('SIGTERM')
  await until(() => output.status !== undefined)
  t.equal(output.status, 0)
})

t.test('a command ends quietly when the reader of its output has ended', async (t) => {
  const program = new URL('../../src/main.js', import.meta.url).pathname
  const child = spawn(process.execPath, [program, '--help'])
  child.stdout.destroy()
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const [status] = (await once(child, 'close')) as [number]
  t.equal(status, 141)
  t.equal(errors, '')
})
