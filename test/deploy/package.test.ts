import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import t from 'tap'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const manifest = readJson('package.json') as { version: string; dependencies: Readonly<Record<string, string>> }

t.test('the bill of materials lists every package in the bundle, with version, licence and hash', async (t) => {
  const { components, metadata } = readJson('dist/bundle/sbom.cdx.json') as {
    metadata: { component: { name: string; version: string } }
    components: {
      name: string
      version: string
      purl: string
      licenses: { license: { id: string } }[]
      hashes: { alg: string }[]
    }[]
  }
  const notices = readFileSync(join(root, 'dist/bundle/THIRD-PARTY-NOTICES.txt'), 'utf8')

  t.match(metadata.component, { name: 'dynamics-gateway', version: manifest.version })
  for (const { name, version, purl, licenses, hashes } of components) {
    t.ok(notices.includes(`${name} ${version} (`), name)
    t.equal(purl, `pkg:npm/${name.replace('@', '%40')}@${version}`)
    t.match(licenses, [{ license: { id: /^[\w.-]+$/ } }], name)
    t.match(hashes, [{ alg: 'SHA-512' }], name)
  }
  for (const [name, version] of Object.entries(manifest.dependencies)) {
    t.match(
      components.find((component) => component.name === name),
      { version },
      name,
    )
  }
})

t.test('the published package contains the bundle and its documents, and has no dependencies', async (t) => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/package.mjs')], { encoding: 'utf8' })
  t.equal(status, 0, stderr)

  t.same(readdirSync(join(root, 'dist/package')).sort(), [
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'SECURITY.md',
    'THIRD-PARTY-NOTICES.txt',
    'code.js',
    'config',
    'docs',
    'emulator.js',
    'gateway.js',
    'jose.js',
    'package.json',
    'redis.js',
    'sbom.cdx.json',
    'tracing.js',
  ])
  const published = readJson('dist/package/package.json') as object
  t.match(published, { name: 'dynamics-gateway', version: manifest.version, bin: { 'dynamics-gateway': 'gateway.js' } })
  for (const absent of ['private', 'dependencies', 'scripts', 'devDependencies']) t.notOk(absent in published, absent)
})

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(join(root, file), 'utf8'))
}
