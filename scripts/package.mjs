// Lays out what npm publishes, in dist/package: the bundle and its documents. The bundle holds all code, so the package
// has no dependencies, so that an installation runs exactly what was tested. `npm run package`, then `npm publish dist/package`.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'dist/package')
const { name, version, description, keywords, license, homepage, repository, bugs, engines } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
)

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
const bundle = join(root, 'dist/bundle')
for (const file of readdirSync(bundle).filter((name) => /\.(?:js|txt|cdx\.json)$/.test(name))) {
  cpSync(join(bundle, file), join(folder, file))
}
for (const document of ['config', 'docs', 'README.md', 'CHANGELOG.md', 'SECURITY.md', 'LICENSE']) {
  cpSync(join(root, document), join(folder, document), { recursive: true })
}
writeFileSync(
  join(folder, 'package.json'),
  `${JSON.stringify(
    {
      name,
      version,
      description,
      keywords,
      license,
      homepage,
      repository,
      bugs,
      type: 'commonjs',
      bin: { [name]: 'gateway.js' },
      engines,
      publishConfig: { access: 'public', provenance: true },
    },
    null,
    2,
  )}\n`,
)
