import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import t from 'tap'
import { parse } from 'yaml'

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, unknown>>
}

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly needs?: string | readonly string[]
        readonly permissions?: Readonly<Record<string, string>>
        readonly 'timeout-minutes'?: number
        readonly steps: readonly Step[]
      }
    >
  >
}

const root = fileURLToPath(new URL('../../../', import.meta.url))
const folder = join(root, '.github/workflows')
const workflows = new Map(
  readdirSync(folder).map((file) => [file, parse(readFileSync(join(folder, file), 'utf8')) as Workflow]),
)
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string
  private: boolean
  homepage: string
  repository: { url: string }
  bugs: { url: string }
  scripts: Readonly<Record<string, string>>
}

t.test('actions are pinned to a commit, with the version beside it', async (t) => {
  const pinned = new Map<string, string>()
  for (const file of workflows.keys()) {
    for (const [, action = '', rest = ''] of readFileSync(join(folder, file), 'utf8').matchAll(
      /uses: ([^@\s]+)@?(.*)$/gm,
    )) {
      t.match(rest, /^[0-9a-f]{40} # v\d+\.\d+\.\d+$/, `${file}: ${action}`)
      t.equal(rest, pinned.get(action) ?? rest, `${file}: ${action} in one version everywhere`)
      pinned.set(action, rest)
    }
  }
})

t.test(
  'a workflow job has read permission unless it declares more, a timeout, and no token in its clone',
  async (t) => {
    for (const [file, { permissions, jobs }] of workflows) {
      t.same(permissions, { contents: 'read' }, file)
      for (const [name, job] of Object.entries(jobs)) {
        t.ok(job['timeout-minutes'], `${file}: ${name}`)
        for (const { uses, with: given } of job.steps) {
          if (uses?.startsWith('actions/checkout@'))
            t.match(given, { 'persist-credentials': false }, `${file}: ${name}`)
        }
      }
    }
  },
)

t.test('no text from outside contributors becomes part of a command', async (t) => {
  for (const [file, { jobs }] of workflows) {
    for (const { run } of Object.values(jobs).flatMap(({ steps }) => steps)) t.notMatch(run ?? '', /\$\{\{/, file)
  }
})

t.test('every script that workflows run exists', async (t) => {
  for (const [file, { jobs }] of workflows) {
    for (const { run = '' } of Object.values(jobs).flatMap(({ steps }) => steps)) {
      for (const [, script = ''] of run.matchAll(/npm run (\w+)/g))
        t.ok(script in manifest.scripts, `${file}: ${script}`)
      for (const [path] of run.matchAll(/(?:scripts|deploy|\.ci)\/[\w./-]+/g))
        t.ok(existsSync(join(root, path)), `${file}: ${path}`)
    }
  }
})

t.test('publishing needs all checks, and no stored token', async (t) => {
  const { jobs } = workflows.get('release.yml')!
  const before = (name: string): string[] =>
    [jobs[name]!.needs ?? []].flat().flatMap((other) => [other, ...before(other)])

  for (const name of ['npm', 'image', 'sign', 'github']) t.ok(before(name).includes('verify'), name)
  t.match(jobs['npm']!.permissions, { 'id-token': 'write' })
  const commands = Object.values(jobs)
    .flatMap(({ steps }) => steps)
    .map(({ run = '' }) => run)
    .join('\n')
  t.match(commands, /npm publish \.\/dist\/package --provenance/)
  t.match(commands, /cosign sign --yes --recursive/)
  t.match(jobs['image']!.steps.find(({ uses }) => uses?.startsWith('docker/build-push-action'))?.with, {
    sbom: true,
    provenance: 'mode=max',
  })
  t.notMatch(readFileSync(join(folder, 'release.yml'), 'utf8'), /secrets\./)
})

t.test('a release needs its section in CHANGELOG.md, under the version of the package', async (t) => {
  const notes = (tag: string): { status: number | null; stderr: string } =>
    spawnSync(process.execPath, [join(root, 'scripts/release-notes.mjs'), tag], { encoding: 'utf8' })
  const released = new RegExp(`^## ${manifest.version.replaceAll('.', '\\.')}\\b`, 'm').test(
    readFileSync(join(root, 'CHANGELOG.md'), 'utf8'),
  )

  t.match(notes('v999.0.0'), { status: 1, stderr: /is not v/ })
  t.match(notes(`v${manifest.version}`), released ? { status: 0 } : { status: 1, stderr: /rename \*Unreleased\*/ })
})

t.test('the project has one repository URL, and its root package is private', async (t) => {
  const address = 'https://github.com/dynamics-gateway/dynamics-gateway'
  t.match(manifest, {
    private: true,
    homepage: `${address}#readme`,
    repository: { url: `git+${address}.git` },
    bugs: { url: `${address}/issues` },
  })
  t.match(readFileSync(join(root, 'deploy/helm/dynamics-gateway/Chart.yaml'), 'utf8'), `home: ${address}\n`)
  t.match(
    readFileSync(join(root, '.github/workflows/release.yml'), 'utf8'),
    `IMAGE: ${address.replace('https://github.com', 'ghcr.io')}\n`,
  )
})

t.test('issue forms ask for the output of check', async (t) => {
  const { body } = parse(readFileSync(join(root, '.github/ISSUE_TEMPLATE/fault.yml'), 'utf8')) as {
    body: { id?: string; attributes: { label?: string }; validations?: { required: boolean } }[]
  }
  t.match(
    body.find(({ id }) => id === 'check'),
    { attributes: { label: /check --json/ }, validations: { required: true } },
  )
})

t.test("no page suggests to run an npm package with the gateway's name that is not published", async (t) => {
  const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'config/README.md', ...markdown('docs')]
  for (const page of pages) t.notMatch(readFileSync(join(root, page), 'utf8'), /\bnpx (?:-\S+ )*dynamics-gateway/, page)
})

function markdown(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `${folder}/${file}`)
}
