// Bundles the command line and everything that it uses into one folder that needs no node_modules: dist/bundle/gateway.js
// and, beside it, the code that it runs.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

import { billOfMaterials, notices, packagesOf } from './bill-of-materials.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const folder = join(root, 'dist/bundle')

rmSync(folder, { recursive: true, force: true })
/**
 * Only the parts of undici that are used. Its index also loads fetch, WebSocket, mocks and caches: 7 to 28 % of a
 * start's CPU. Other packages load what the gateway does not use, too; each costs less than that
 * (docs/decisions/start-up-cache.md).
 *
 * @until undici's index loads its parts when they are used
 */
const leanUndici = {
  name: 'lean-undici',
  setup(build) {
    const members = {
      Agent: 'dispatcher/agent',
      BalancedPool: 'dispatcher/balanced-pool',
      Client: 'dispatcher/client',
      Dispatcher: 'dispatcher/dispatcher',
      Pool: 'dispatcher/pool',
      ProxyAgent: 'dispatcher/proxy-agent',
      buildConnector: 'core/connect',
      errors: 'core/errors',
    }
    const getters = Object.entries(members).map(([name, file]) => `get ${name}() { return require('./lib/${file}') }`)
    build.onResolve({ filter: /^undici$/ }, () => ({ path: 'undici', namespace: 'lean' }))
    build.onLoad({ filter: /.*/, namespace: 'lean' }, () => ({
      resolveDir: join(root, 'node_modules/undici'),
      contents: `Object.assign(require('./lib/dispatcher/dispatcher').prototype, require('./lib/api'))
        module.exports = { ${getters.join(', ')}, getGlobalDispatcher: () => require('./lib/global').getGlobalDispatcher() }`,
    }))
  },
}

/**
 * Only the connection of Redis' client, and the commands that it sends by itself: the gateway sends its own as words. All
 * of them, with clusters and pools, would be three times as large.
 */
const leanRedis = {
  name: 'lean-redis',
  setup(build) {
    const lib = join(root, 'node_modules/@redis/client/dist/lib')
    const own = ['AUTH', 'CLIENT_SETNAME', 'READONLY']
    build.onResolve({ filter: /^@redis\/client$/ }, () => ({ path: 'client', namespace: 'lean-redis' }))
    build.onLoad({ filter: /.*/, namespace: 'lean-redis' }, () => ({
      resolveDir: lib,
      contents: `module.exports = { createClient: require('./client').default.create }`,
    }))
    build.onLoad({ filter: /@redis[\\/]client[\\/]dist[\\/]lib[\\/]commands[\\/]index\.js$/ }, () => ({
      resolveDir: join(lib, 'commands'),
      contents: `exports.default = { ${own.map((name) => `${name}: require('./${name}').default`).join(', ')} }
        exports.__esModule = true`,
    }))
  },
}

const shared = {
  absWorkingDir: root,
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  // Names stay, so that stack traces can be read.
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 160,
  metafile: true,
  legalComments: 'none',
  logLevel: 'warning',
}

/** Constants in place of the modules that read them from files which the bundle does not have. */
const constants = {
  name: 'constants',
  setup(build) {
    const contents = {
      'commands/version': `export const version = () => ${JSON.stringify(version)}`,
      'observe/assets': `const assets = ${JSON.stringify(assets())}
        export const asset = (name) => assets[name]`,
    }
    build.onLoad({ filter: /[\\/]src[\\/](?:commands[\\/]version|observe[\\/]assets)\.ts$/ }, ({ path }) => ({
      contents: contents[path.split(/[\\/]/).slice(-2).join('/').slice(0, -'.ts'.length)],
    }))
  },
}

/**
 * What most gateways never load: scripts of their own, so that its source takes no memory, and none of it is in the code
 * that is kept for the next start. Each contains all that it uses, and shares no module with other scripts.
 */
const APART = {
  emulator: { entry: 'emulator/emulator.ts', imported: /\/emulator\/emulator\.ts$/ },
  jose: { entry: 'jose', imported: /^jose$/ },
  redis: { entry: '@redis/client', imported: /^@redis\/client$/ },
  tracing: { entry: 'src/observe/tracing/span-export.ts', imported: /\/span-export\.ts$/ },
}
const apart = {
  name: 'apart',
  setup(build) {
    for (const [name, { imported }] of Object.entries(APART)) {
      build.onResolve({ filter: imported }, () => ({ path: `./${name}.js`, external: true }))
    }
  },
}
const scripts = await build({
  ...shared,
  entryPoints: Object.fromEntries(Object.entries(APART).map(([name, { entry }]) => [name, entry])),
  outdir: folder,
  plugins: [leanUndici, leanRedis],
})

// All other code in one script, so that V8's code cache can hold its compiled functions.
const { metafile } = await build({
  ...shared,
  entryPoints: { code: 'src/commands/command-line.ts' },
  outdir: folder,
  // A script from the code cache cannot import, but it can require.
  supported: { 'dynamic-import': false },
  sourcemap: true,
  sourcesContent: false,
  define: {
    'import.meta.url': '__filename',
    // Optional native packages of ws: they are not bundled, and must not be loaded from a folder that happens to be near.
    'process.env.WS_NO_BUFFER_UTIL': '"1"',
    'process.env.WS_NO_UTF_8_VALIDATE': '"1"',
  },
  banner: {
    // It is also a module that exports the function. The parentheses tell V8 that the function is called at once.
    // Node defines some globals by getters. Called at each use, they took 0.4 µs per request.
    js:
      '((code) => typeof module === "object" ? module.exports = code : code)(' +
      '(function (exports, require, module, __filename, __dirname) { "use strict"; ' +
      'const { Buffer, performance, process } = globalThis;',
  },
  footer: { js: '}))' },
  plugins: [constants, leanUndici, apart],
})
const code = readFileSync(join(folder, 'code.js'))
if (code.some((byte) => byte > 127)) throw new Error('the code is read as Latin-1, but holds characters outside ASCII')

await build({
  ...shared,
  stdin: {
    resolveDir: root,
    // A health check loads none of the code: the container runs it all the time.
    contents: `
      import { quickHealthcheck } from './src/commands/quick-healthcheck.ts'
      const words = process.argv.slice(2)
      const checked = quickHealthcheck(words, process.env)
      if (checked === undefined) start()
      else checked.then((status) => { process.exitCode = status })

      function start() {
        require('./src/commands/serve/process-guard.ts').guardProcess()
        require('./src/commands/broken-pipe.ts').endOnBrokenPipe()
        const folder = process.env.NODE_COMPILE_CACHE || __dirname + '/.compiled'
        const { runCompiled } = require('./src/commands/serve/compile-cache.ts')
        const { main } = runCompiled({ file: __dirname + '/code.js', id: CODE_ID, folder, require })
        main(words).then((status) => { process.exitCode = status })
      }`,
  },
  outfile: join(folder, 'gateway.js'),
  define: { CODE_ID: JSON.stringify(createHash('sha256').update(code).digest('hex').slice(0, 16)) },
  banner: { js: '#!/usr/bin/env node' },
})
writeFileSync(
  join(folder, 'package.json'),
  `${JSON.stringify({ name: 'dynamics-gateway', version, type: 'commonjs', private: true })}\n`,
)
const packages = packagesOf([metafile, scripts.metafile].flatMap(({ inputs }) => Object.keys(inputs)))
writeFileSync(join(folder, 'THIRD-PARTY-NOTICES.txt'), notices(root, packages))
writeFileSync(join(folder, 'sbom.cdx.json'), `${JSON.stringify(billOfMaterials(root, packages), null, 2)}\n`)
chmodSync(join(folder, 'gateway.js'), 0o755)
execFileSync(process.execPath, [join(root, 'scripts/compile.mjs'), folder], { stdio: 'inherit' })

/** The files that a browser loads, by their names. */
function assets() {
  const from = join(root, 'src/observe/assets')
  return Object.fromEntries(readdirSync(from).map((name) => [name, readFileSync(join(from, name), 'utf8')]))
}
