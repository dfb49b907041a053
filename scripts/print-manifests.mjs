// Prints the plain manifests from the charts, so that there is one truth: deploy/kubernetes/ and the base for kustomize.
// Needs helm: where the variable HELM says, in .tools/, or on the PATH. `node print-manifests.mjs [FOLDER]`
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const installed = fileURLToPath(new URL('../.tools/helm', import.meta.url))
const helm = process.env.HELM || (existsSync(installed) ? installed : 'helm')
const charts = fileURLToPath(new URL('../deploy/helm', import.meta.url))
const folder = process.argv[2] ?? fileURLToPath(new URL('../deploy', import.meta.url))

const service = manifest('dynamics-gateway', 'dynamics-gateway', [
  '--values',
  join(charts, 'dynamics-gateway/ci/three-values.yaml'),
])
print(
  'kubernetes/service.yaml',
  `One gateway for the apps of a namespace, with workload identity.
Replace the environment and the two ids; only pods with the label calls-dynamics: 'true' reach it.`,
  service,
)
print('kustomize/base/gateway.yaml', 'The base: see the overlays for what to change.', service)

// The chart of an app looks for its dependencies in its own folder `charts`.
const work = mkdtempSync(join(tmpdir(), 'gateway-charts-'))
try {
  cpSync(join(charts, 'sample-app'), join(work, 'sample-app'), { recursive: true })
  cpSync(join(charts, 'dynamics-gateway'), join(work, 'sample-app/charts/dynamics-gateway'), { recursive: true })
  print(
    'kubernetes/sidecar.yaml',
    `An app with the gateway beside it, as a native sidecar, with workload identity.
Replace the environment, the two ids and the app.`,
    manifest('my-app', join(work, 'sample-app'), []),
  )
} finally {
  rmSync(work, { recursive: true })
}

/** What the chart makes, without the marks of Helm. */
function manifest(release, chart, words) {
  return execFileSync(helm, ['template', release, chart, ...words], { cwd: charts, encoding: 'utf8' })
    .replaceAll(/^# Source: .*\n/gm, '')
    .replaceAll(/^ *(?:helm\.sh\/chart|app\.kubernetes\.io\/managed-by): .*\n/gm, '')
    .replace(/^---\n/, '')
}

function print(file, about, text) {
  const path = join(folder, file)
  mkdirSync(dirname(path), { recursive: true })
  const head = `${about}\nPrinted from the chart by \`npm run manifests\`; changes by hand are lost.`
  writeFileSync(path, `${head.replaceAll(/^/gm, '# ')}\n${text}`)
}
