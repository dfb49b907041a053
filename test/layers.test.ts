import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'

import t from 'tap'

/**
 * What the files of a layer may import besides their own and lower layers: npm packages, and Node's modules if they are
 * restricted.
 */
interface Part {
  readonly layer: number
  /** A file, or a folder with a trailing slash. The longest matching name counts. */
  readonly name: string
  readonly packages: readonly string[]
}

const PARTS: readonly Part[] = [
  { layer: 11, name: 'main.ts', packages: [] },
  { layer: 10, name: 'commands/', packages: ['pino', 'undici'] },
  { layer: 9, name: 'app.ts', packages: ['fastify', 'pino'] },
  { layer: 9, name: 'target-runtime.ts', packages: ['pino'] },
  { layer: 8, name: 'proxy/', packages: ['@fastify/http-proxy', 'fastify'] },
  { layer: 8, name: 'observe/', packages: ['fastify', 'fastify-plugin', 'pino', 'prom-client'] },
  {
    layer: 8,
    name: 'observe/tracing/',
    packages: [
      '@opentelemetry/api',
      '@opentelemetry/otlp-exporter-base/node-http',
      '@opentelemetry/resources',
      '@opentelemetry/sdk-trace-base',
    ],
  },
  { layer: 7, name: 'queries/', packages: ['fastify', 'fastify-plugin'] },
  { layer: 7, name: 'rules/', packages: ['fastify', 'fastify-plugin'] },
  { layer: 7, name: 'users/', packages: ['fastify', 'fastify-plugin', 'lru-cache'] },
  { layer: 7, name: 'callers/', packages: ['fastify', 'fastify-plugin', 'jose', 'lru-cache'] },
  { layer: 7, name: 'door/', packages: ['fastify', 'fastify-plugin'] },
  { layer: 6, name: 'cache/', packages: ['lru-cache'] },
  { layer: 6, name: 'identity/', packages: ['fastify'] },
  { layer: 6, name: 'server/', packages: ['fastify', 'fastify-plugin'] },
  { layer: 5, name: 'dynamics/', packages: ['lru-cache', 'undici'] },
  { layer: 5, name: 'replicas/', packages: ['@redis/client', 'lru-cache'] },
  { layer: 4, name: 'credentials/', packages: ['@azure/msal-node', 'undici'] },
  { layer: 3, name: 'explanations/', packages: [] },
  { layer: 3, name: 'outbound/', packages: ['undici'] },
  { layer: 2, name: 'config/', packages: ['yaml'] },
  { layer: 2, name: 'config/settings/', packages: [] },
  { layer: 1, name: 'odata/', packages: [] },
  { layer: 1, name: 'errors.ts', packages: ['@fastify/error'] },
  { layer: 1, name: 'logging/', packages: [] },
]

/** An import of one file: another file of `src/`, a package, or a module of Node's (`node:…`). */
interface Import {
  readonly of: string
  readonly typeOnly: boolean
  readonly whenUsed: boolean
}

const root = fileURLToPath(new URL('../../', import.meta.url))
const sources = sourcesIn('src/')
const emulator = sourcesIn('emulator/')
const files = [...sources.keys()]
const imports = new Map([...sources].map(([file, source]) => [file, importsOf(file, source)]))

t.test('every file has its layer', async (t) => {
  t.ok(files.length > 100, 'the files are found')
  for (const file of files) t.ok(partOf(file), file)
})

t.test('every part of the map exists', async (t) => {
  for (const { name } of PARTS) {
    t.ok(
      files.some((file) => file === name || (name.endsWith('/') && file.startsWith(name))),
      name,
    )
  }
})

t.test('a file imports only from its own layer or a lower one', async (t) => {
  for (const [file, from] of own()) {
    t.ok(
      partOf(from.of)!.layer <= partOf(file)!.layer,
      `${file} (${partOf(file)!.layer}) imports ${from.of} (${partOf(from.of)!.layer})`,
    )
  }
})

t.test('docs/architecture.md shows the same map', async (t) => {
  const page = readFileSync(`${root}docs/architecture.md`, 'utf8')
  const rows = [...page.matchAll(/^\| (\d+) \| `([^`]+)` \|/gm)].map(([, layer, name]) => `${layer} ${name}`)
  t.same(
    rows,
    PARTS.map(({ layer, name }) => `${layer} ${name}`),
  )
})

t.test('OData knows nothing of the gateway', async (t) => {
  for (const [file, { of }] of own()) {
    if (file.startsWith('odata/')) t.match(of, /^odata\//, `${file} imports ${of}`)
  }
})

t.test('the emulator does not import the gateway', async (t) => {
  t.ok(emulator.size > 50, 'the files are found')
  for (const [file, source] of emulator) {
    for (const { of } of importsOf(file, source)) {
      t.ok(of.startsWith('node:') || of === 'undici' || emulator.has(of), `${file} imports ${of}`)
    }
  }
})

t.test('there are no circular imports', async (t) => {
  for (const file of files) t.equal(wayBack(file), undefined, file)
})

t.test('each layer imports only its own packages', async (t) => {
  for (const [file, { of }] of packages()) {
    t.ok(partOf(file)!.packages.includes(of), `${file} imports ${of}`)
  }
})

t.test('no layer is allowed a package that it does not use', async (t) => {
  for (const part of PARTS) {
    for (const name of part.packages) {
      t.ok(
        packages().some(([file, { of }]) => of === name && partOf(file) === part),
        `${part.name}: ${name}`,
      )
    }
  }
})

t.test('the emulator, MSAL and the client of Redis are loaded only when they are used', async (t) => {
  for (const [file, one] of all()) {
    const late = ['@azure/msal-node', '@redis/client'].includes(one.of) || one.of.startsWith('../emulator/')
    if (late) t.ok(one.typeOnly || one.whenUsed, `${file} imports ${one.of}`)
  }
})

t.test('OData and errors use no Node module for I/O', async (t) => {
  for (const [file, from] of imports) {
    if (!file.startsWith('odata/') && file !== 'errors.ts') continue
    for (const { of } of from) {
      if (of.startsWith('node:')) t.ok(['node:buffer', 'node:stream'].includes(of), `${file} imports ${of}`)
    }
  }
})

t.test('only the commands and the reading of settings touch the process', async (t) => {
  const may = /^(main\.ts|commands\/.*|config\/process-variables\.ts|observe\/log\.ts)$/
  for (const [file, source] of sources) {
    if (!may.test(file)) {
      t.notMatch(code(source), /\bprocess\.(env|argv|on|once|exit|stdout|stderr|kill|emit)\b|'node:process'/, file)
    }
    if (!/^(main\.ts|commands\/.*)$/.test(file)) {
      t.notMatch(code(source), /\bprocess\.(on|once|exit|exitCode|kill|argv)\b/, file)
    }
  }
})

t.test('only the commands and the server listen', async (t) => {
  for (const [file, source] of sources) {
    if (!/^(commands|server)\//.test(file)) t.notMatch(code(source), /\.listen\(/, file)
  }
})

/** The TypeScript files below `folder`, by their paths within it (those of the emulator by the path from the root). */
function sourcesIn(folder: 'src/' | 'emulator/'): Map<string, string> {
  const prefix = folder === 'src/' ? '' : folder
  return new Map(
    readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
      .map((path) => path.replaceAll('\\', '/'))
      .filter((path) => path.endsWith('.ts'))
      .map((path) => [`${prefix}${path}`, readFileSync(`${root}${folder}${path}`, 'utf8')]),
  )
}

/** The part that `file` belongs to. */
function partOf(file: string): Part | undefined {
  return PARTS.filter(({ name }) => name === file || (name.endsWith('/') && file.startsWith(name))).sort(
    (a, b) => b.name.length - a.name.length,
  )[0]
}

/** Imports between files of `src/`. */
function own(): [string, Import][] {
  return all().filter(([, { of }]) => sources.has(of))
}

/** Imports from npm. */
function packages(): [string, Import][] {
  return all().filter(([, { of }]) => !sources.has(of) && !of.startsWith('node:') && !of.startsWith('../'))
}

function all(): [string, Import][] {
  return [...imports].flatMap(([file, from]) => from.map((one): [string, Import] => [file, one]))
}

/** The import path from `file` back to itself; `undefined` if there is none. */
function wayBack(file: string): string | undefined {
  const seen = new Set<string>()
  const open = [[file]]
  for (let way = open.pop(); way !== undefined; way = open.pop()) {
    for (const { of } of imports.get(way.at(-1)!) ?? []) {
      if (of === file) return [...way, of].join(' → ')
      if (seen.has(of)) continue
      seen.add(of)
      open.push([...way, of])
    }
  }
  return undefined
}

function importsOf(file: string, source: string): Import[] {
  const text = code(source)
  const statements = [...text.matchAll(/^(?:import|export)\s(?:(type\s)?[^'"`;]*?\sfrom\s*)?'([^']+)'/gm)].map(
    ([, type, of]) => ({ of: resolve(file, of!), typeOnly: type !== undefined, whenUsed: false }),
  )
  const calls = [...text.matchAll(/(await\s+)?\bimport\(\s*'([^']+)'/g)].map(([, awaited, of]) => ({
    of: resolve(file, of!),
    typeOnly: awaited === undefined,
    whenUsed: true,
  }))
  return [...statements, ...calls]
}

function resolve(file: string, of: string): string {
  return of.startsWith('.') ? posix.join(posix.dirname(file), of) : of
}

/** `source` without comments. */
function code(source: string): string {
  return source.replace(/^\s*(\/\*[\s\S]*?\*\/|\/\/.*|\*.*)$/gm, '')
}
