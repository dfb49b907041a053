// Puts the command line and all that it uses into one folder that needs no node_modules: dist/bundle/gateway.js. What
// only some commands or settings need (the demo, MSAL, pretty logs) lies beside it and is loaded when it is due.
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const folder = join(root, 'dist/bundle')

rmSync(folder, { recursive: true, force: true })
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: { gateway: 'src/main.ts' },
  outdir: folder,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  chunkNames: '[name]-[hash]',
  sourcemap: true,
  sourcesContent: false,
  // Names stay, so that stacks can be read.
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 160,
  metafile: true,
  legalComments: 'none',
  define: { GATEWAY_VERSION: JSON.stringify(version) },
  // Packages of the older module system ask for these.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; import { fileURLToPath as __toPath } from "node:url"; import { dirname as __toFolder } from "node:path"; '
      + 'const require = __createRequire(import.meta.url), __filename = __toPath(import.meta.url), __dirname = __toFolder(__filename);',
  },
  logLevel: 'warning',
})
writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ name: 'dynamics-gateway', version, type: 'module', private: true })}\n`)
writeFileSync(join(folder, 'THIRD-PARTY-NOTICES.txt'), notices(Object.keys(metafile.inputs)))
chmodSync(join(folder, 'gateway.js'), 0o755)

/** The licences of all packages that are inside. */
function notices(inputs) {
  const packages = new Set(inputs.map((input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1]).filter((found) => found !== undefined))
  return [...packages].sort().map((path) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'))
    const file = readdirSync(join(root, path)).find((entry) => /^licen[cs]e/i.test(entry) && statSync(join(root, path, entry)).isFile())
    return `${name} ${version} (${license})\n\n${file === undefined ? '' : readFileSync(join(root, path, file), 'utf8').trim()}\n`
  }).join(`\n${'-'.repeat(80)}\n\n`)
}
