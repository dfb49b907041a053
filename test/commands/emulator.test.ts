import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'

import { generate } from 'selfsigned'
import t from 'tap'
import type { Test } from 'tap'

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))

t.setTimeout(600_000)

/** Runs the command until it has printed the variables, or ends. Returns the variables. */
async function emulatorFor(t: Test, ...words: string[]) {
  const child = spawn(process.execPath, [MAIN, 'emulator', ...words], { env: { PATH: process.env['PATH'] } })
  t.teardown(() => (child.kill('SIGTERM'), ended))
  let output = ''
  const ended = once(child, 'close').then(([status]) => status as number | null)
  const ready = new Promise<void>((resolve) => {
    const read = (text: Buffer): void => {
      output += String(text)
      if (output.includes('AZURE_CLIENT_SECRET')) resolve()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
  })
  await Promise.race([ready, ended])
  const variables = Object.fromEntries(
    [...output.matchAll(/^ {2}(\w+)='?([^'\n]*)'?$/gm)].map(([, name, value]) => [name!, value!]),
  )
  return { child, ended, output, variables }
}

t.test('serves Entra and Dynamics 365 to a program that uses the printed settings', async (t) => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    algorithm: 'sha256',
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  })
  const folder = t.testdir({ 'cert.pem': cert, 'key.pem': key })
  const files = ['--certificate', `${folder}/cert.pem`, '--key', `${folder}/key.pem`]
  const { child, ended, variables } = await emulatorFor(t, '--port', '0', ...files)
  const gateway = spawn(process.execPath, [MAIN, 'serve'], {
    cwd: folder,
    env: {
      ...variables,
      PATH: process.env['PATH'],
      PORT: '0',
      LOG_FORMAT: 'json',
      TOKEN_TIMEOUT: '60s',
      CONNECT_TIMEOUT: '60s',
      NODE_EXTRA_CA_CERTS: `${folder}/cert.pem`,
    },
  })
  t.teardown(() => (gateway.kill('SIGTERM'), once(gateway, 'close')))
  let log = ''
  const address = await new Promise<string>((resolve, reject) => {
    gateway.stdout.on('data', (text: Buffer) => {
      log += String(text)
      const found = /"address":"([^"]+)"/.exec(log)?.[1]
      if (found !== undefined) resolve(found)
    })
    gateway.on('close', () => reject(new Error(log)))
  })

  const response = await fetch(`${address}/accounts?$top=1`, { headers: { 'x-user-email': 'adele.vance@contoso.com' } })

  t.equal(response.status, 200)
  t.equal(((await response.json()) as { value: unknown[] }).value.length, 1)
  child.kill('SIGTERM')
  t.equal(await ended, 0)
})

for (const [fault, expected] of [
  ['no-application-user', { status: 403, code: '0x80072560' }],
  ['no-privilege', { status: 403, code: '0x80042f09' }],
  ['maintenance', { status: 403, code: '0x8004a104' }],
  ['ip-firewall', { status: 403, code: '' }],
] as const) {
  t.test(`--fault ${fault} answers as an environment does that is so`, async (t) => {
    const { variables } = await emulatorFor(t, '--port', '0', '--fault', fault)
    const origin = variables['DYNAMICS_URL']!
    const token = await fetch(`${origin}/${variables['AZURE_TENANT_ID']}/oauth2/v2.0/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: variables['AZURE_CLIENT_ID']!,
        client_secret: variables['AZURE_CLIENT_SECRET']!,
        scope: `${origin}/.default`,
      }),
    })
    const { access_token: accessToken } = (await token.json()) as { access_token: string }

    const response = await fetch(`${origin}/api/data/v9.2/WhoAmI`, {
      headers: { authorization: `Bearer ${accessToken}` },
    })

    t.equal(response.status, expected.status)
    const { error } = (await response.json()) as { error: { code: string } }
    t.equal(error.code.toLowerCase(), expected.code)
  })
}

t.test('--fault with a number makes Entra refuse', async (t) => {
  const { variables } = await emulatorFor(t, '--port', '0', '--fault', 'AADSTS7000222')
  const token = await fetch(`${variables['DYNAMICS_URL']}/${variables['AZURE_TENANT_ID']}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: variables['AZURE_CLIENT_ID']! }),
  })

  t.equal(token.status, 401)
  t.match(await token.json(), { error_description: /AADSTS7000222/ })
})

t.test('reports wrong options and exits with status 1', async (t) => {
  const other = createServer()
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo

  const taken = await emulatorFor(t, '--port', String(port))
  t.equal(await taken.ended, 1)
  t.match(taken.output, new RegExp(`Port ${port} cannot be used \\(EADDRINUSE\\): choose another with --port`))
  const half = await emulatorFor(t, '--port', '0', '--key', 'key.pem')
  t.equal(await half.ended, 1)
  t.match(half.output, /both --certificate and --key/)
  const nowhere = await emulatorFor(t, '--port', '0', '--key', 'no.pem', '--certificate', 'no.pem')
  t.equal(await nowhere.ended, 1)
  t.match(nowhere.output, /cannot be used \(ENOENT\)/)
  const unknown = await emulatorFor(t, '--fault', 'no-luck')
  t.equal(await unknown.ended, 1)
  t.match(unknown.output, /--fault must be an error code of Entra.*no-application-user.*maintenance/)
})
