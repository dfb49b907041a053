import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import t from 'tap'
import { parse, parseAllDocuments } from 'yaml'

import type { Command } from '../../src/commands/command.ts'
import { commands } from '../../src/commands/commands.ts'
import { PRESETS } from '../../src/config/rule.ts'
import * as errors from '../../src/errors.ts'
import { addHeaders } from '../../src/server/added-headers.ts'
import { settingsByVariable } from '../support/settings-by-variable.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', 'config/README.md', ...below('docs')]
const troubleshooting = text('docs/troubleshooting.md')

t.test('docs/troubleshooting.md lists every error code with its status, and no others', async (t) => {
  const listed = new Map(
    [...troubleshooting.matchAll(/^\| `(GATEWAY_[A-Z_]+)` \| (\d{3}) \| .+ \|$/gm)].map(([, code, status]) => [
      code!,
      Number(status),
    ]),
  )
  t.same(new Map([...listed].sort()), new Map([...errorCodes()].sort()))
  for (const page of pages) {
    for (const [code] of text(page).matchAll(/GATEWAY_[A-Z]+(?:_[A-Z]+)*/g)) {
      t.ok(errorCodes().has(code) || code === 'GATEWAY_CONFIG', `${page}: ${code}`)
    }
  }
})

t.test("the table of docs/settings.md has the schema's variables and defaults", async (t) => {
  const variables = settingsByVariable()
  const elsewhere = ['CREDENTIAL', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'HTTPS_PROXY', 'NO_PROXY', 'NODE_EXTRA_CA_CERTS']
  const rows = text('docs/settings.md').matchAll(/^\| (`[A-Z_`, ]+`) \| .+ \| (.+) \|$/gm)
  let count = 0
  for (const [, names, fallback] of rows) {
    for (const [, name = ''] of names!.matchAll(/`([A-Z_]+)`/g)) {
      count += 1
      const setting = variables.get(name)
      t.ok(setting ?? elsewhere.includes(name), name)
      if (setting === undefined) continue
      const { fallback: own, required } = setting
      if (Array.isArray(own)) t.equal(fallback, own.length === 0 ? 'empty' : own.join(','), name)
      else if (own !== undefined)
        t.ok([`\`${String(own)}\``].includes(fallback!), `${name}: ${fallback}, ${String(own)}`)
      else
        t.equal(
          fallback!.startsWith('required'),
          required === true && !/SECRET|CERTIFICATE|FEDERATED|REDIS/.test(name),
          name,
        )
    }
  }
  t.ok(count >= 22)
})

t.test('the table of commands in docs/operations.md matches --help', async (t) => {
  const rows = new Map(
    [...section('docs/operations.md', 'Commands').matchAll(/^\| `([a-z]+)` \| (.+?) \| (.+?) \|$/gm)].map(
      ([, name, does, status]) => [name!, { does: does!, status: status! }],
    ),
  )
  t.same([...rows.keys()], Object.keys(commands))
  for (const [name, { description, status, options }] of Object.entries(
    commands as Readonly<Record<string, Command>>,
  )) {
    t.equal(rows.get(name)?.status, status, name)
    t.ok(rows.get(name)?.does.startsWith(description), name)
    for (const [, option = ''] of rows.get(name)?.does.matchAll(/`--([a-z-]+)/g) ?? []) {
      t.ok(option in options, `${name} --${option}`)
    }
  }
})

t.test('docs/callers-and-rules.md explains every preset of rules, and no others', async (t) => {
  const rows = text('docs/callers-and-rules.md').matchAll(/^\| `([\w-]+)` \| .+ \|$/gm)
  t.same(
    [...rows].map(([, name]) => name),
    PRESETS,
  )
})

t.test('docs/calling.md names every header that the gateway adds to responses', async (t) => {
  const added: string[] = []
  addHeaders(added, { id: '', timings: { token: 0, user: 0, wait: 0, dynamics: 0 }, cors: undefined })
  const headers = section('docs/calling.md', 'Headers').toLowerCase()
  for (let index = 0; index < added.length; index += 2) t.match(headers, `\`${added[index]!}\``)
})

t.test('docs/observability.md names every metric, and no others', async (t) => {
  const code = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => text(`src/${file.replaceAll('\\', '/')}`))
  const names = (from: string): string[] => [...new Set(from.match(/\bgateway_[a-z_]+/g))].sort()
  t.same(names(section('docs/observability.md', 'Metrics')), names(code.join()))
})

t.test('docs/operations.md names every field of the audit log', async (t) => {
  const [, fields = ''] = /interface AuditLine \{(.*?)^\}/ms.exec(text('src/observe/audit-log.ts')) ?? []
  const names = [...fields.matchAll(/readonly (\w+):/g)].map(([, name]) => name!)
  t.ok(names.length > 10)
  for (const name of names) t.match(section('docs/operations.md', 'Audit log'), `\`${name}\``)
})

t.test('every file and heading that the documentation links to exists', async (t) => {
  for (const page of pages) {
    for (const [, file = '', anchor] of text(page).matchAll(/\]\(([^)#\s]*)(?:#([^)]*))?\)/g)) {
      if (/^[a-z]+:/.test(file)) continue
      const path = file === '' ? page : join(dirname(page), file)
      t.ok(existsSync(`${root}${path}`), `${page}: ${file}`)
      if (anchor !== undefined) t.ok(headingsOf(path).includes(anchor), `${page}: ${file}#${anchor}`)
    }
  }
})

t.test('every file of the repository that the documentation names exists', async (t) => {
  for (const page of pages.filter((page) => page !== 'CHANGELOG.md')) {
    for (const [, path = ''] of text(page).matchAll(
      /`((?:src|test|emulator|bench|scripts|config|deploy)\/[\w./-]+)`/g,
    )) {
      t.ok(
        ['', 'src/'].some((folder) => existsSync(root + folder + path)),
        `${page}: ${path}`,
      )
    }
  }
})

t.test('the README links to every page of docs/', async (t) => {
  const links = [...text('README.md').matchAll(/\]\(([^)#\s]+)/g)].map(([, file]) => file)
  for (const page of below('docs')) {
    t.ok(links.includes(page) || (page.startsWith('docs/decisions/') && links.includes('docs/decisions')), page)
  }
})

t.test('prose is wrapped at 120 columns', async (t) => {
  // Tables, images and commands cannot be wrapped. Settings are printed, and the changelog has one line per change.
  for (const page of pages.filter((page) => !['config/README.md', 'CHANGELOG.md'].includes(page))) {
    const long = text(page)
      .split('\n')
      .filter((line) => line.length > 120 && !/^\||^!?\[[^\]]*\]\(\S+\)$|^docker run /.test(line))
    t.same(long, [], page)
  }
})

t.test('every decision has its situation, options, decision, and when to look again', async (t) => {
  for (const page of below('docs/decisions')) {
    const headings = [...text(page).matchAll(/^## (\S+)/gm)].map(([, word]) => word)
    t.same(
      headings.filter((word) => ['Situation', 'Options', 'Decision', 'When'].includes(word!)),
      ['Situation', 'Options', 'Decision', 'When'],
      page,
    )
  }
})

t.test('every npm script that the documentation names exists', async (t) => {
  const { scripts } = JSON.parse(text('package.json')) as { scripts: Readonly<Record<string, string>> }
  for (const page of [...pages, '.ci/run', 'src/config/documentation.ts']) {
    for (const [, script = ''] of text(page).matchAll(/npm run (?:--?\w+ )*([a-z]+)/g)) {
      t.ok(script in scripts, `${page}: ${script}`)
    }
  }
})

t.test('the README states the number of dependencies, which have exact versions', async (t) => {
  const { packages } = JSON.parse(text('package-lock.json')) as {
    packages: Readonly<
      Record<
        string,
        {
          dev?: true
          optional?: true
          dependencies?: Readonly<Record<string, string>>
        }
      >
    >
  }
  const direct = Object.values(packages['']!.dependencies!)
  const all = Object.entries(packages).filter(
    ([path, { dev, optional }]) => path !== '' && dev !== true && optional !== true,
  )
  t.match(
    section('README.md', 'Security'),
    `It depends on ${direct.length} packages, ${all.length} with all that they depend on`,
  )
  for (const version of direct) t.match(version, /^\d+\.\d+\.\d+$/)
})

t.test('the image has no root user, shell or development packages, and its process gets signals', async (t) => {
  const [build, compiled, image] = text('Dockerfile')
    .split(/^FROM /m)
    .slice(1)
  t.match(build, /^--platform=\$BUILDPLATFORM node:\d+-\S+ AS build/)
  t.match(image, /^gcr\.io\/distroless\/nodejs\d+-debian\d+:nonroot/)
  t.match(compiled, image!.split('\n')[0], 'code is compiled by the Node version of the image')
  t.match(image, /^USER 65532:65532$/m)
  t.match(image, /^ENTRYPOINT \["\/nodejs\/bin\/node", "\/app\/gateway\.js"\]$/m)
  t.match(image, /^HEALTHCHECK .*CMD \["\/nodejs\/bin\/node", "\/app\/gateway\.js", "healthcheck"\]$/m)
  t.notMatch(image, /node_modules|npm/)
  t.ok(text('.dockerignore').split('\n').includes('*'), 'the build context contains only listed files, and no .env')
})

t.test('the containers of docker-compose.yml have only the rights that they need', async (t) => {
  const { services } = parse(text('docker-compose.yml'), { merge: true }) as {
    services: Readonly<Record<string, { profiles: string[]; ports?: string[] }>>
  }
  t.same(
    Object.entries(services).map(([name, { profiles }]) => [name, ...profiles]),
    [
      ['demo', 'demo'],
      ['app', 'sidecar'],
      ['gateway', 'sidecar'],
    ],
  )
  for (const [name, service] of Object.entries(services)) {
    t.match(service, { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] }, name)
    for (const port of service.ports ?? []) t.match(port, /^127\.0\.0\.1:/, `${name}: published to this machine only`)
  }
  t.match(services['gateway'], { network_mode: 'service:app', env_file: '.env', environment: { HOST: '127.0.0.1' } })
})

t.test('the containers of the Kubernetes manifests have only the rights that they need', async (t) => {
  for (const file of readdirSync(`${root}deploy/kubernetes`)) {
    const documents = parseAllDocuments(text(`deploy/kubernetes/${file}`)).map(
      (document) => document.toJS() as Manifest,
    )
    const pods = documents.filter(({ kind }) => kind === 'Deployment').map(({ spec }) => spec.template.spec)
    t.ok(pods.length > 0, file)
    for (const { securityContext, automountServiceAccountToken, initContainers = [], containers } of pods) {
      t.match(
        { securityContext, automountServiceAccountToken },
        {
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          automountServiceAccountToken: false,
        },
        file,
      )
      for (const { name, securityContext: own, env } of [...initContainers, ...containers]) {
        t.match(own, { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }, `${file}: ${name}`)
        for (const { name: variable } of env) {
          if (name === 'dynamics-gateway') {
            t.ok(
              [variable, variable.replace(/_FILE$/, '')].some((found) => settingsByVariable().has(found)),
              `${file}: ${variable}`,
            )
          }
        }
      }
    }
  }
})

t.test('.ci/run can be run', async (t) => {
  t.ok((statSync(`${root}.ci/run`).mode & 0o111) !== 0)
})

interface Container {
  readonly name: string
  readonly securityContext: object
  readonly env: readonly { readonly name: string }[]
}

interface Manifest {
  readonly kind: string
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly securityContext: object
        readonly automountServiceAccountToken: boolean
        readonly initContainers?: readonly Container[]
        readonly containers: readonly Container[]
      }
    }
  }
}

/** The status of every error of the gateway's own, by its code. */
function errorCodes(): Map<string, number> {
  const codes = new Map<string, number>()
  for (const made of Object.values(errors)) {
    if (typeof made !== 'function' || !('prototype' in made) || !(made.prototype instanceof Error)) continue
    const { code, statusCode } = new (made as unknown as new () => Error & { code: string; statusCode: number })()
    codes.set(code, statusCode)
  }
  return codes
}

/** The Markdown files in a folder and its subfolders. */
function below(folder: string): string[] {
  return readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `${folder}/${file.replaceAll('\\', '/')}`)
    .sort()
}

/** The anchors of a page's headings, as GitHub writes them. */
function headingsOf(page: string): string[] {
  return [...text(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^a-z0-9 _-]/g, '')
      .replaceAll(' ', '-'),
  )
}

/** The text below a heading of a page. */
function section(page: string, heading: string): string {
  return (
    text(page)
      .split(/^## /m)
      .find((part) => part.startsWith(`${heading}\n`)) ?? ''
  )
}

function text(file: string): string {
  return readFileSync(`${root}${file}`, 'utf8')
}
