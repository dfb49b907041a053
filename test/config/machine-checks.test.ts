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

t.test('an audit log that cannot be written is an error, and the check does not create a file', async (t) => {
  const folder = t.testdir({ folder: {}, file: 'x' })
  t.match(errorsOf({ AUDIT_LOG: '/nope/x' }), [
    /^AUDIT_LOG names a file that cannot be written \(ENOENT\): fix the path/,
  ])
  t.match(errorsOf({ AUDIT_LOG: join(folder, 'folder') }), [/^AUDIT_LOG .*\(EISDIR\)/])
  t.match(errorsOf({ AUDIT_LOG: join(folder, 'file', 'x') }), [/^AUDIT_LOG .*\(ENOTDIR\)/])
  for (const where of ['stdout', 'stderr', join(folder, 'file'), join(folder, 'new'), '/dev/null']) {
    t.same(errorsOf({ AUDIT_LOG: where }), [], where)
  }
  t.same(readdirSync(folder).sort(), ['file', 'folder'])
})

t.test('a socket needs an existing folder, and no other file at its path', async (t) => {
  const folder = mkdtempSync('/tmp/gateway-')
  writeFileSync(`${folder}/file`, 'x')
  t.match(errorsOf({ HOST: 'unix:/nope/gateway.sock' }), [
    /^HOST names a socket in a folder that does not exist: make the folder/,
  ])
  t.match(errorsOf({ HOST: `unix:${folder}/file/x` }), [/^HOST .*folder that does not exist/])
  symlinkSync('loop', `${folder}/loop`)
  t.match(errorsOf({ HOST: `unix:${folder}/loop/x` }), [/^HOST .*folder that cannot be written \(ELOOP\): fix/])
  t.match(errorsOf({ HOST: `unix:${folder}/file` }), [/^HOST .*where another file is already: remove/])
  for (const error of errorsOf({ HOST: 'unix:/nope/gateway.sock' })) t.notMatch(error, /PORT/)
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(`${folder}/s`, resolve))
  t.teardown(() => other.close())
  t.same(errorsOf({ HOST: `unix:${folder}/s` }), [], 'another running gateway may own the socket')
})

t.test('a socket path longer than the system allows is an error, and one byte less is not', async (t) => {
  const folder = mkdtempSync('/tmp/gateway-')
  const path = (bytes: number): string => `${folder}/${'é'.repeat(20)}`.padEnd(bytes - 20, 'x')
  t.equal(Buffer.byteLength(path(107)), 107)
  t.equal(maxSocketPathBytes('linux'), 107)
  t.equal(maxSocketPathBytes('darwin'), 103)
  t.same(errorsOf({ HOST: `unix:${path(107)}` }), [])
  t.match(errorsOf({ HOST: `unix:${path(108)}` }), [
    /^HOST names a socket whose path is longer than 107 bytes.*write a shorter/,
  ])
})

t.test('a certificate and a key that do not match, or cannot be read, are an error', async (t) => {
  const [one, other] = await Promise.all([pair(), pair()])
  const folder = t.testdir({
    'a.pem': one.cert,
    'a.key': one.private,
    'b.pem': other.cert,
    'b.key': other.private,
    'no.pem': 'x',
  })
  const errors = (certificate: string, key: string, more = ''): readonly string[] => {
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
    return errorsOf({}, file)
  }
  t.same(errors('a.pem', 'a.key'), [])
  t.same(errors('a.pem', 'a.key', `, clientCa: ${folder}/b.pem`), [])
  t.match(errors('a.pem', 'b.key'), [
    /^tls \(in the settings file\) names a certificate and a key that do not belong together/,
  ])
  t.match(errors('no.pem', 'a.key'), [/^tls .*cannot be used for HTTPS \(ERR_.*\): write PEM files/])
  t.match(errors('a.pem', `a.key, clientCa: ${folder}/no.pem`), [/^tls.clientCa .*names a file without a certificate/])
})

t.test('true or off is not accepted as an audit log, and stdout and stderr in any case', async (t) => {
  for (const word of ['true', 'False', 'off', 'none', '1']) {
    t.match(
      errorsOf({ AUDIT_LOG: word }),
      [/^AUDIT_LOG is not a stream or a path: write stdout, stderr or a path/],
      word,
    )
  }
  t.same(errorsOf({ AUDIT_LOG: 'Stdout' }), [])
  t.match(errorsOf({ ALLOWED_ORIGINS: 'https://*.contoso.com' }), [
    /^ALLOWED_ORIGINS holds a \*, but wildcards are not supported/,
  ])
  t.match(errorsOf({ PUBLIC_URL: 'https://*' }), [/^PUBLIC_URL is not a URL/])
})

t.test('extra CA certificates that Node could not read are an error', async (t) => {
  const { cert } = await pair()
  const folder = t.testdir({ ca: cert, no: 'x' })
  t.same(errorsOf({ NODE_EXTRA_CA_CERTS: join(folder, 'ca') }), [])
  t.match(errorsOf({ NODE_EXTRA_CA_CERTS: join(folder, 'no') }), [/^NODE_EXTRA_CA_CERTS names a file without a certif/])
  t.match(errorsOf({ NODE_EXTRA_CA_CERTS: '/nowhere' }), [/^NODE_EXTRA_CA_CERTS names a file that cannot be read/])
})

t.test('errors found on the machine are reported together with all others', async (t) => {
  t.match([...errorsOf({ AUDIT_LOG: '/nope/x', HOST: 'unix:/nope/s', LOG_LEVEL: 'loud' })].sort(), [
    /^AUDIT_LOG /,
    /^HOST /,
    /^LOG_LEVEL /,
  ])
})

t.test('an audit log may be a dangling symbolic link', async (t) => {
  const folder = t.testdir({})
  symlinkSync(join(folder, 'to'), join(folder, 'link'))
  t.same(errorsOf({ AUDIT_LOG: join(folder, 'link') }), [])
})

function pair(): ReturnType<typeof generate> {
  return generate([{ name: 'commonName', value: 'gateway' }], { keyType: 'ec', algorithm: 'sha256' })
}

function errorsOf(env: NodeJS.Dict<string>, file?: string): readonly string[] {
  try {
    loadSettings(file === undefined ? { ...FOUR, ...env } : env, file)
    return []
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    return error.errors
  }
}
