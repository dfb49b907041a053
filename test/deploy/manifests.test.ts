import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import t from 'tap'

import { loadSettings } from '../../src/config/load.ts'
import { helm, kubectl } from './kubernetes-tools.ts'
import { objectFaults, objectsOf } from './object-faults.ts'
import { containersOf, podsOf, pointerFaults } from './pod-faults.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const deploy = join(root, 'deploy')
const PRINTED = ['kubernetes/service.yaml', 'kubernetes/sidecar.yaml', 'kustomize/base/gateway.yaml']

t.test('the plain manifests are printed from the chart', { skip: helm.skip }, async (t) => {
  const folder = t.testdir({})
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/print-manifests.mjs'), folder], {
    encoding: 'utf8',
  })
  t.equal(status, 0, stderr)
  for (const file of PRINTED) {
    t.equal(text(file), readFileSync(join(folder, file), 'utf8'), `${file}: npm run manifests prints it again`)
  }
})

for (const file of PRINTED) {
  t.test(`${file} contains objects that Kubernetes accepts`, async (t) => {
    const objects = objectsOf(text(file))
    t.equal(objectFaults(objects, t.testdir({})), '')
    t.same(pointerFaults(objects), [])
  })
}

for (const overlay of readdirSync(join(deploy, 'kustomize/overlays'))) {
  t.test(
    `the overlay ${overlay} renders objects that Kubernetes accepts and a gateway starts with`,
    { skip: kubectl.skip },
    async (t) => {
      const { status, stdout, stderr } = kubectl.run(['kustomize', join(deploy, 'kustomize/overlays', overlay)])
      t.equal(status, 0, stderr)
      const objects = objectsOf(stdout)

      t.equal(objectFaults(objects, t.testdir({})), '')
      t.same(pointerFaults(objects), [])
      for (const {
        metadata: { namespace },
      } of objects)
        t.equal(namespace, overlay)
      const [pod] = podsOf(objects)
      const { env = [] } = containersOf(pod!).find(({ name }) => name === 'dynamics-gateway')!
      const folder = t.testdir({ secret: 'x' })
      const variables = Object.fromEntries(
        env.map(({ name, value }) => [name, name.endsWith('_FILE') ? join(folder, 'secret') : value]),
      )
      const { data } =
        (objects.find(({ kind }) => kind === 'ConfigMap') as { data?: Record<string, string> } | undefined) ?? {}
      if (data === undefined) {
        t.match(loadSettings(variables, undefined), { trustNetwork: true, targets: [{}] })
      } else {
        writeFileSync(
          join(folder, 'gateway.yaml'),
          data['gateway.yaml']!.replace(/\/var\/run\/secrets\/\S+/, join(folder, 'secret')),
        )
        const settings = loadSettings({ ...variables, GATEWAY_CONFIG: undefined }, join(folder, 'gateway.yaml'))
        t.match(settings, { trustNetwork: false, callers: [{ name: 'billing' }] })
        const mounted = pod!.spec.volumes!.map(({ configMap }) => configMap?.name)
        t.ok(
          mounted.includes(objects.find(({ kind }) => kind === 'ConfigMap')!.metadata.name),
          'the generated name is used',
        )
      }
    },
  )
}

function text(file: string): string {
  return readFileSync(join(deploy, file), 'utf8')
}
