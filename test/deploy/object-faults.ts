import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { parseAllDocuments } from 'yaml'

/** A Kubernetes object as written in a manifest. */
export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly [member: string]: unknown
}

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** The module and type of each kind; a kind that is missing here is a fault. */
const TYPES: Readonly<Record<string, string>> = {
  'v1 ConfigMap': 'kubernetes-types/core/v1',
  'v1 Service': 'kubernetes-types/core/v1',
  'v1 ServiceAccount': 'kubernetes-types/core/v1',
  'apps/v1 Deployment': 'kubernetes-types/apps/v1',
  'autoscaling/v2 HorizontalPodAutoscaler': 'kubernetes-types/autoscaling/v2',
  'networking.k8s.io/v1 NetworkPolicy': 'kubernetes-types/networking/v1',
  'policy/v1 PodDisruptionBudget': 'kubernetes-types/policy/v1',
  'monitoring.coreos.com/v1 ServiceMonitor': join(root, 'test/deploy/prometheus-operator.ts'),
  'monitoring.coreos.com/v1 PodMonitor': join(root, 'test/deploy/prometheus-operator.ts'),
}

/** The objects of a manifest. */
export function objectsOf(manifest: string): KubernetesObject[] {
  return parseAllDocuments(manifest)
    .map((document) => {
      const [error] = document.errors
      if (error !== undefined) throw error
      return document.toJS() as KubernetesObject | null
    })
    .filter((object) => object !== null)
}

/**
 * What the Kubernetes API would refuse: unknown fields, values of another type, missing fields. The types are generated
 * from its OpenAPI document, and the TypeScript compiler compares, because only it detects unknown fields.
 *
 * @param folder for the file that is compiled, inside the project
 */
export function objectFaults(objects: readonly KubernetesObject[], folder: string): string {
  const unknown = objects.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`).filter((type) => !(type in TYPES))
  if (unknown.length > 0) return `no type is known for ${unknown.join(', ')}`
  const lines = objects.map((object, index) => {
    const { apiVersion, kind } = object
    return (
      `export const _${index}: import(${JSON.stringify(TYPES[`${apiVersion} ${kind}`])}).${kind} = ` +
      JSON.stringify(object, null, 1)
    )
  })
  const file = join(folder, 'objects.ts')
  writeFileSync(file, lines.join('\n'))
  const { stdout, stderr, error } = spawnSync(
    // The program itself, because its JavaScript launcher does not run with tap's loader hooks.
    join(root, `node_modules/@typescript/typescript-${process.platform}-${process.arch}/lib/tsc`),
    [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--types',
      '',
      '--module',
      'preserve',
      '--moduleResolution',
      'bundler',
      '--allowImportingTsExtensions',
      file,
    ],
    { cwd: folder, encoding: 'utf8' },
  )
  if (error !== undefined) throw error
  return stdout + stderr
}
