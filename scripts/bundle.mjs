// Puts the command line and all that it uses into one folder that needs no node_modules: dist/bundle/gateway.js. What
// only some commands or settings need (the demo, MSAL, pretty logs) lies beside it and is loaded when it is due.
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const folder = join(root, 'dist/bundle')

rmSync(folder, { recursive: true, force: true })
/**
 * Node's own modules are required, also where the source imports them: for an import Node asks each module for all that
 * it exports, and `http` loads a third of a start's time to answer for WebSocket.
 */
const required = {
  name: 'required',
  setup(build) {
    build.onResolve({ filter: /^[a-z_:/0-9]+$/ }, ({ path, kind }) => !isBuiltin(path) ? undefined
      : kind === 'import-statement' ? { path, namespace: 'required' } : { path, external: true })
    build.onLoad(
      { filter: /.*/, namespace: 'required' },
      ({ path }) => ({ contents: `module.exports = __required(${JSON.stringify(path)})` }),
    )
  },
}

/**
 * Of undici only what is used, loaded when it is: its index loads fetch, WebSocket, mocks and caches too, and takes a
 * sixth of a start. HTTP/2, which the gateway never speaks, would load Node's.
 */
const lean = {
  name: 'lean-undici',
  setup(build) {
    const folder = join(root, 'node_modules/undici')
    const members = {
      Agent: 'dispatcher/agent', BalancedPool: 'dispatcher/balanced-pool', Client: 'dispatcher/client',
      Dispatcher: 'dispatcher/dispatcher',
      Pool: 'dispatcher/pool', ProxyAgent: 'dispatcher/proxy-agent', buildConnector: 'core/connect',
      errors: 'core/errors',
    }
    const getters = Object.entries(members).map(([name, file]) => `get ${name}() { return require('./lib/${file}') }`)
    build.onResolve({ filter: /^undici$/ }, () => ({ path: 'undici', namespace: 'lean' }))
    build.onLoad({ filter: /.*/, namespace: 'lean' }, () => ({
      resolveDir: folder,
      contents: `Object.assign(require('./lib/dispatcher/dispatcher').prototype, require('./lib/api'))
        module.exports = { ${getters.join(', ')}, getGlobalDispatcher: () => require('./lib/global').getGlobalDispatcher() }`,
    }))
    build.onLoad({ filter: /undici[\\/]lib[\\/]dispatcher[\\/]client-h2\.js$/ }, () => ({
      contents: 'module.exports = () => { throw new Error("HTTP/2 is not spoken") }',
    }))
  },
}

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
  define: {
    GATEWAY_VERSION: JSON.stringify(version),
    // Packages for speed that are not there; nor are they to be found in a folder that happens to be near.
    'process.env.WS_NO_BUFFER_UTIL': '"1"',
    'process.env.WS_NO_UTF_8_VALIDATE': '"1"',
  },
  // Packages of the older module system ask for these.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; '
      + 'import { fileURLToPath as __toPath } from "node:url"; import { dirname as __toFolder } from "node:path"; '
      + 'const require = __createRequire(import.meta.url), __required = require, '
      + '__filename = __toPath(import.meta.url), __dirname = __toFolder(__filename);',
  },
  plugins: [required, lean],
  logLevel: 'warning',
})
writeFileSync(
  join(folder, 'package.json'),
  `${JSON.stringify({ name: 'dynamics-gateway', version, type: 'module', private: true })}\n`,
)
writeFileSync(join(folder, 'THIRD-PARTY-NOTICES.txt'), notices(Object.keys(metafile.inputs)))
chmodSync(join(folder, 'gateway.js'), 0o755)

/** The licences of all packages that are inside. */
function notices(inputs) {
  const packages = new Set(inputs
    .map((input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1])
    .filter((found) => found !== undefined))
  return [...packages].sort().map((path) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'))
    const file = readdirSync(join(root, path))
      .find((entry) => /^licen[cs]e/i.test(entry) && statSync(join(root, path, entry)).isFile())
    const text = file === undefined ? '' : readFileSync(join(root, path, file), 'utf8').trim()
    return `${name} ${version} (${license})\n\n${text}\n`
  }).join(`\n${'-'.repeat(80)}\n\n`)
}
