import { mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

import { generate } from 'selfsigned'
import t from 'tap'

import { maxSocketPathBytes } from '../../src/config/addresses.ts'
import { loadSettings } from '../../src/config/load.ts'
import { SettingsError } from '../../src/config/settings-error.ts'

const FOUR = {
  DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
  AZURE_TENANT_ID: '7a5f4d1e-3c2b-4e9a-8f61-0d9b2c7e4a10',
  AZURE_CLIENT_ID: '3f0c1b9e-58d2-4a76-9c1d-6e2f7b8a4d35',
  AZURE_CLIENT_SECRET: 'Kx8~n0t.4-real_s3cret',
}

t.test('an audit log that cannot be written is a fault, and looking makes no file', async (t) => {
  const folder = t.testdir({ folder: {}, file: 'x' })
  t.match(faultsOf({ AUDIT_LOG: '/nope/x' }), [
    /^AUDIT_LOG names a file that cannot be written \(ENOENT\): fix the path/,
  ])
  t.match(faultsOf({ AUDIT_LOG: join(folder, 'folder') }), [/^AUDIT_LOG .*\(EISDIR\)/])
  t.match(faultsOf({ AUDIT_LOG: join(folder, 'file', 'x') }), [/^AUDIT_LOG .*\(ENOTDIR\)/])
  for (const where of ['stdout', 'stderr', join(folder, 'file'), join(folder, 'new'), '/dev/null']) {
    t.same(faultsOf({ AUDIT_LOG: where }), [], where)
  }
  t.same(readdirSync(folder).sort(), ['file', 'folder'])
})

t.test('a socket needs a folder, and no other file in its place', async (t) => {
  const folder = mkdtempSync('/tmp/gateway-')
  writeFileSync(`${folder}/file`, 'x')
  t.match(faultsOf({ HOST: 'unix:/nope/gateway.sock' }), [
    /^HOST names a socket in a folder that does not exist: make the folder/,
  ])
  t.match(faultsOf({ HOST: `unix:${folder}/file/x` }), [/^HOST .*folder that does not exist/])
  symlinkSync('loop', `${folder}/loop`)
  t.match(faultsOf({ HOST: `unix:${folder}/loop/x` }), [/^HOST .*folder that cannot be written \(ELOOP\): fix/])
  t.match(faultsOf({ HOST: `unix:${folder}/file` }), [/^HOST .*where another file is already: remove/])
  for (const fault of faultsOf({ HOST: 'unix:/nope/gateway.sock' })) t.notMatch(fault, /PORT/)
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(`${folder}/s`, resolve))
  t.teardown(() => other.close())
  t.same(faultsOf({ HOST: `unix:${folder}/s` }), [], 'a gateway that runs may be there')
})

t.test('a socket whose path is longer than the system takes is a fault, and one byte less is none', async (t) => {
  const folder = mkdtempSync('/tmp/gateway-')
  const path = (bytes: number): string => `${folder}/${'é'.repeat(20)}`.padEnd(bytes - 20, 'x')
  t.equal(Buffer.byteLength(path(107)), 107)
  t.equal(maxSocketPathBytes('linux'), 107)
  t.equal(maxSocketPathBytes('darwin'), 103)
  t.same(faultsOf({ HOST: `unix:${path(107)}` }), [])
  t.match(faultsOf({ HOST: `unix:${path(108)}` }), [
    /^HOST names a socket whose path is longer than 107 bytes.*write a shorter/,
  ])
})

t.test('a certificate and a key that do not belong together, or are none, are a fault', async (t) => {
  const [one, other] = await Promise.all([pair(), pair()])
  const folder = t.testdir({
    'a.pem': one.cert,
    'a.key': one.private,
    'b.pem': other.cert,
    'b.key': other.private,
    'no.pem': 'x',
  })
  const faults = (certificate: string, key: string, more = ''): readonly string[] => {
    const file = join(
      t.testdir({
        'gateway.yaml': [
          `tls: { certificate: ${folder}/${certificate}, key: ${folder}/${key}${more} }`,
          'targets: [{ url: contoso.crm4.dynamics.com, credential: { kind: managed-identity } }]',
        ].join('\n'),
        'a.pem': one.cert,
        'a.key': one.private,
        'b.pem': other.cert,
        'b.key': other.private,
        'no.pem': 'x',
      }),
      'gateway.yaml',
    )
    return faultsOf({}, file)
  }
  t.same(faults('a.pem', 'a.key'), [])
  t.same(faults('a.pem', 'a.key', `, clientCa: ${folder}/b.pem`), [])
  t.match(faults('a.pem', 'b.key'), [
    /^tls \(in the settings file\) names a certificate and a key that do not belong together/,
  ])
  t.match(faults('no.pem', 'a.key'), [/^tls .*cannot be used for HTTPS \(ERR_.*\): write PEM files/])
  t.match(faults('a.pem', `a.key, clientCa: ${folder}/no.pem`), [/^tls.clientCa .*names a file without a certificate/])
})

t.test('a word that means on or off is no place for the audit log, and streams are known in any case', async (t) => {
  for (const word of ['true', 'False', 'off', 'none', '1']) {
    t.match(
      faultsOf({ AUDIT_LOG: word }),
      [/^AUDIT_LOG is not a stream or a path: write stdout, stderr or a path/],
      word,
    )
  }
  t.same(faultsOf({ AUDIT_LOG: 'Stdout' }), [])
  t.match(faultsOf({ ALLOWED_ORIGINS: 'https://*.contoso.com' }), [
    /^ALLOWED_ORIGINS holds a \*, but wildcards are not supported/,
  ])
  t.match(faultsOf({ PUBLIC_URL: 'https://*' }), [/^PUBLIC_URL is not a URL/])
})

t.test('further authorities that Node could not read are a fault', async (t) => {
  const { cert } = await pair()
  const folder = t.testdir({ ca: cert, no: 'x' })
  t.same(faultsOf({ NODE_EXTRA_CA_CERTS: join(folder, 'ca') }), [])
  t.match(faultsOf({ NODE_EXTRA_CA_CERTS: join(folder, 'no') }), [/^NODE_EXTRA_CA_CERTS names a file without a certif/])
  t.match(faultsOf({ NODE_EXTRA_CA_CERTS: '/nowhere' }), [/^NODE_EXTRA_CA_CERTS names a file that cannot be read/])
})

t.test('what the machine shows is told together with all other faults', async (t) => {
  t.match([...faultsOf({ AUDIT_LOG: '/nope/x', HOST: 'unix:/nope/s', LOG_LEVEL: 'loud' })].sort(), [
    /^AUDIT_LOG /,
    /^HOST /,
    /^LOG_LEVEL /,
  ])
})

t.test('a link to nowhere in the place of a log is written through', async (t) => {
  const folder = t.testdir({})
  symlinkSync(join(folder, 'to'), join(folder, 'link'))
  t.same(faultsOf({ AUDIT_LOG: join(folder, 'link') }), [])
})

function pair(): ReturnType<typeof generate> {
  return generate([{ name: 'commonName', value: 'gateway' }], { keyType: 'ec', algorithm: 'sha256' })
}

function faultsOf(env: NodeJS.Dict<string>, file?: string): readonly string[] {
  try {
    loadSettings(file === undefined ? { ...FOUR, ...env } : env, file)
    return []
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    return error.errors
  }
}
