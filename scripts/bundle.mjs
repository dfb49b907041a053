// Puts the command line and all that it uses into one folder that needs no node_modules: dist/bundle/gateway.js, and
// the code that it runs beside it.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

import { billOfMaterials, notices, packagesOf } from './bill-of-materials.mjs'

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
    build.onResolve({ filter: /^[a-z_:/0-9]+$/ }, ({ path, kind }) =>
      !isBuiltin(path)
        ? undefined
        : kind === 'import-statement'
          ? { path, namespace: 'required' }
          : { path, external: true },
    )
    build.onLoad({ filter: /.*/, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = __required(${JSON.stringify(path)})`,
    }))
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
      resolveDir: folder,
      contents: `Object.assign(require('./lib/dispatcher/dispatcher').prototype, require('./lib/api'))
        module.exports = { ${getters.join(', ')}, getGlobalDispatcher: () => require('./lib/global').getGlobalDispatcher() }`,
    }))
    // Parses settings files, which not every gateway has.
    build.onResolve({ filter: /^yaml$/ }, ({ importer }) =>
      importer === '' || importer.startsWith(join(root, 'src')) ? { path: 'yaml', namespace: 'lean-yaml' } : undefined,
    )
    const parser = ['parseDocument', 'LineCounter'].map((name) => `get ${name}() { return require('yaml').${name} }`)
    build.onLoad({ filter: /.*/, namespace: 'lean-yaml' }, () => ({
      resolveDir: root,
      contents: `module.exports = { ${parser.join(', ')} }`,
    }))
    build.onLoad({ filter: /undici[\\/]lib[\\/]dispatcher[\\/]client-h2\.js$/ }, () => ({
      contents: 'module.exports = () => { throw new Error("HTTP/2 is not spoken") }',
    }))
  },
}

/**
 * What Fastify, its proxy and MSAL load and the gateway has no use for: schemas, injected requests, WebSockets,
 * HTTP/2, JSON Web Tokens that MSAL signs itself. Asked for all the same, it fails loudly.
 */
const unused = {
  name: 'unused',
  setup(build) {
    const fails = 'module.exports = () => { throw new Error("the gateway does without") }'
    const compilers = `module.exports = () => () => { throw new Error("the gateway has no schemas") }`
    const instead = {
      '@fastify/ajv-compiler': compilers,
      '@fastify/fast-json-stringify-compiler': compilers,
      'node:http2': 'module.exports = { constants: { NGHTTP2_CANCEL: 8 } }',
    }
    const by = (filter) => ({ filter: new RegExp(`^(?:${filter})$`) })
    const unusedIn =
      (importers) =>
      ({ path, importer }) =>
        importers.test(importer.replaceAll('\\', '/')) ? { path, namespace: 'unused' } : undefined
    const fastify = /node_modules\/fastify\/(?:lib\/schema-controller|fastify)\.js$/
    build.onResolve(by('@fastify/(?:ajv-compiler|fast-json-stringify-compiler)'), unusedIn(fastify))
    build.onResolve(by('light-my-request'), unusedIn(fastify))
    build.onResolve(by('ws'), unusedIn(/node_modules\/@fastify\/http-proxy\//))
    build.onResolve(by('node:http2'), unusedIn(/node_modules\/(?:@fastify\/reply-from\/|fastify\/lib\/server\.js$)/))
    build.onResolve(by('jsonwebtoken'), unusedIn(/node_modules\/@azure\/msal-node\//))
    build.onLoad({ filter: /.*/, namespace: 'unused' }, ({ path }) => ({ contents: instead[path] ?? fails }))
  },
}

const shared = {
  absWorkingDir: root,
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  // Names stay, so that stacks can be read.
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 160,
  metafile: true,
  legalComments: 'none',
  logLevel: 'warning',
}

// All code in one script, which can be kept as it was compiled, functions and all.
const { metafile } = await build({
  ...shared,
  entryPoints: { code: 'src/commands/command-line.ts' },
  outdir: folder,
  sourcemap: true,
  sourcesContent: false,
  define: {
    GATEWAY_VERSION: JSON.stringify(version),
    'import.meta.url': '__filename',
    // Packages for speed that are not there; nor are they to be found in a folder that happens to be near.
    'process.env.WS_NO_BUFFER_UTIL': '"1"',
    'process.env.WS_NO_UTF_8_VALIDATE': '"1"',
  },
  banner: {
    // Also a module that exports the function. The parentheses around that tell V8 that it is called at once.
    js:
      '((code) => typeof module === "object" ? module.exports = code : code)(' +
      '(function (exports, require, module, __filename, __dirname) { "use strict"; const __required = require;',
  },
  footer: { js: '}))' },
  plugins: [unused, required, lean],
})
const code = readFileSync(join(folder, 'code.js'))
if (code.some((byte) => byte > 127)) throw new Error('the code is to be read as Latin-1, and holds other characters')

await build({
  ...shared,
  stdin: {
    resolveDir: root,
    // A check of the container's health loads none of the code: it is asked for all the time.
    contents: `
      import { quickHealthcheck } from './src/commands/quick-healthcheck.ts'
      const words = process.argv.slice(2)
      const checked = quickHealthcheck(words, process.env)
      if (checked === undefined) start()
      else checked.then((status) => { process.exitCode = status })

      function start() {
        require('./src/commands/serve/process-guard.ts').guardProcess()
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
const packages = packagesOf(Object.keys(metafile.inputs))
writeFileSync(join(folder, 'THIRD-PARTY-NOTICES.txt'), notices(root, packages))
writeFileSync(join(folder, 'sbom.cdx.json'), `${JSON.stringify(billOfMaterials(root, packages), null, 2)}\n`)
chmodSync(join(folder, 'gateway.js'), 0o755)
execFileSync(process.execPath, [join(root, 'scripts/compile.mjs'), folder], { stdio: 'inherit' })
