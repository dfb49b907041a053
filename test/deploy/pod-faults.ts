import type { KubernetesObject } from './object-faults.ts'

/** A container in the pods of a Deployment. */
export interface Container {
  readonly name: string
  readonly env?: readonly { readonly name: string; readonly value?: string }[]
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[]
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
  readonly securityContext?: object
  readonly [probe: `${string}Probe`]: { readonly httpGet?: { readonly port: string | number } } | undefined
}

interface PodTemplate {
  readonly metadata: { readonly labels: Labels }
  readonly spec: {
    readonly containers: readonly Container[]
    readonly initContainers?: readonly Container[]
    readonly volumes?: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[]
  }
}

type Labels = Readonly<Record<string, string>>

/** The pod templates of the Deployments among `objects`. */
export function podsOf(objects: readonly KubernetesObject[]): PodTemplate[] {
  return objects
    .filter(({ kind }) => kind === 'Deployment')
    .map(({ spec }) => (spec as { template: PodTemplate }).template)
}

/** All containers of a pod. */
export function containersOf({ spec }: PodTemplate): Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers]
}

/** Faults that the Kubernetes API accepts: names that refer to nothing, one sentence each. */
export function pointerFaults(objects: readonly KubernetesObject[]): string[] {
  const pods = podsOf(objects)
  const ports = pods
    .flatMap((pod) => containersOf(pod).flatMap((container) => container.ports ?? []))
    .map(({ name }) => name)
  const faults: string[] = []
  for (const pod of pods) {
    const volumes = (pod.spec.volumes ?? []).map(({ name }) => name)
    const mounted = containersOf(pod).flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name))
    for (const name of mounted) if (!volumes.includes(name)) faults.push(`${name} is mounted, and no volume`)
    for (const name of volumes) if (!mounted.includes(name)) faults.push(`the volume ${name} is not mounted`)
    for (const container of containersOf(pod)) {
      const names = (container.env ?? []).map(({ name }) => name)
      for (const name of new Set(names.filter((name, at) => names.indexOf(name) !== at)))
        faults.push(`${name} is set twice`)
      for (const [probe, value] of Object.entries(container)) {
        const port = probe.endsWith('Probe') ? (value as Container[`${string}Probe`])?.httpGet?.port : undefined
        if (port !== undefined && !(container.ports ?? []).some(({ name }) => name === port)) {
          faults.push(`${probe} asks ${port}, and ${container.name} has no such port`)
        }
      }
    }
  }
  for (const { kind, metadata, spec } of objects) {
    const {
      selector,
      podSelector,
      ports: served = [],
      ingress = [],
    } = (spec ?? {}) as {
      selector?: Labels | { matchLabels: Labels }
      podSelector?: { matchLabels: Labels }
      ports?: { targetPort: string }[]
      ingress?: { ports: { port: string }[] }[]
    }
    const labels =
      kind === 'Service' ? (selector as Labels) : (podSelector ?? (selector as { matchLabels: Labels }))?.matchLabels
    if (labels !== undefined && pods.length > 0 && !pods.some((pod) => covers(pod.metadata.labels, labels))) {
      faults.push(`the ${kind} ${metadata.name} selects no pod`)
    }
    const named = [
      ...served.map(({ targetPort }) => targetPort),
      ...ingress.flatMap((rule) => rule.ports.map(({ port }) => port)),
    ]
    for (const port of named)
      if (!ports.includes(port)) faults.push(`the ${kind} ${metadata.name} names the port ${port}`)
  }
  return faults
}

function covers(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value)
}
