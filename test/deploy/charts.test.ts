import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import t from 'tap'
import type { Test } from 'tap'

import { loadSettings } from '../../src/config/load.ts'
import { credentialKinds } from '../../src/config/settings/credential.ts'
import { helm } from './kubernetes-tools.ts'
import { objectFaults, objectsOf } from './object-faults.ts'
import type { KubernetesObject } from './object-faults.ts'
import { containersOf, podsOf, pointerFaults } from './pod-faults.ts'
import type { Container } from './pod-faults.ts'

const charts = fileURLToPath(new URL('../../../deploy/helm/', import.meta.url))
const chart = join(charts, 'dynamics-gateway')
const certificate = fileURLToPath(new URL('../../../test/credentials/certificates/plain.pem', import.meta.url))
const { skip } = helm

const THREE = [
  'dynamics.url=https://contoso.crm4.dynamics.com',
  'azure.tenantId=11111111-2222-3333-4444-555555555555',
  'azure.clientId=66666666-7777-8888-9999-000000000000',
]

for (const file of readdirSync(join(chart, 'ci'))) {
  t.test(`${file} renders objects that Kubernetes accepts`, { skip }, async (t) => {
    const values = ['--values', join(chart, 'ci', file)]
    t.match(helm.run(['lint', '--strict', chart, ...values]), { status: 0 })
    const objects = rendered(t, [chart, ...values])

    t.equal(objectFaults(objects, t.testdir({})), '')
    t.same(pointerFaults(objects), [])
    for (const {
      metadata: { name },
    } of objects)
      t.equal(name, 'gw-dynamics-gateway')
  })
}

t.test('the chart supports every kind of credential, or leaves it to a settings file', async (t) => {
  const { properties } = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')) as {
    properties: { credential: { properties: { kind: { enum: string[] } } } }
  }
  // Possible only in `config`: a person signs in on the machine, or each request has its person's token.
  const inSettingsFiles = ['delegated', 'on-behalf-of']
  t.same(
    [...properties.credential.properties.kind.enum, ...inSettingsFiles].sort(),
    Object.keys(credentialKinds).sort(),
  )
})

t.test('three values are enough for settings that the gateway starts with', { skip }, async (t) => {
  const objects = rendered(t, [chart, ...set(THREE)])

  t.same(objects.map(({ kind }) => kind).sort(), [
    'Deployment',
    'NetworkPolicy',
    'PodDisruptionBudget',
    'Service',
    'ServiceAccount',
  ])
  t.match(settingsOf(t, objects), {
    host: '0.0.0.0',
    trustNetwork: true,
    shutdownTimeout: 25_000,
    targets: [{ url: { product: 'dataverse' }, credential: { kind: 'workload-identity' } }],
  })
})

t.test('the gateway starts with the settings rendered from each values file', { skip }, async (t) => {
  const settings = (file: string): object => settingsOf(t, rendered(t, [chart, '--values', join(chart, 'ci', file)]))

  t.match(settings('client-secret.yaml'), {
    trustNetwork: true,
    logLevel: 'warn',
    targets: [{ credential: { kind: 'client-secret' }, impersonation: { mode: 'required' } }],
  })
  t.match(settings('certificate.yaml'), { targets: [{ credential: { kind: 'certificate' } }] })
  t.match(settings('managed-identity.yaml'), { host: '::', targets: [{ credential: { kind: 'managed-identity' } }] })
  t.match(settings('callers.yaml'), {
    trustNetwork: false,
    callers: [{ name: 'billing' }],
    targets: [{ maxRetryWait: 30_000, impersonation: { mode: 'required', verify: true } }],
  })
  t.match(settings('settings-file.yaml'), {
    trustNetwork: false,
    callers: [{ name: 'dashboard' }],
    targets: [{ name: 'sales' }, { name: 'service' }],
  })
  t.match(settings('everything.yaml'), {
    redis: {
      url: { source: 'variable REDIS_URL' },
      password: { file: String },
      encryptionKey: { file: String },
      ca: String,
    },
  })
})

t.test('the URL of Redis may also be a secret', { skip }, async (t) => {
  const values = [...THREE, 'redis.secretName=redis', 'redis.urlKey=url', 'redis.encryptionKeyKey=key']
  const names = variables(rendered(t, [chart, ...set(values)]))
  t.match(
    names.find(({ name }) => name === 'REDIS_URL_FILE'),
    { value: '/redis/url' },
  )
  t.notOk(names.some(({ name }) => name === 'REDIS_URL'))
})

t.test('a gateway that is reachable from outside the pod requires callers', { skip }, async (t) => {
  const trusts = (objects: KubernetesObject[]): boolean =>
    variables(objects).some(({ name }) => name === 'TRUST_NETWORK')

  t.ok(trusts(rendered(t, [chart, ...set(THREE)])), 'a network policy covers it')
  t.notOk(trusts(rendered(t, [chart, '--values', join(chart, 'ci/callers.yaml')])), 'callers are known')
  t.notOk(trusts(rendered(t, [chart, '--values', join(chart, 'ci/existing-settings-file.yaml')])), 'the file says')
  t.notOk(trusts(rendered(t, [chart, '--values', join(chart, 'ci/sidecar.yaml')])), 'a sidecar listens at loopback')
  refused(t, [...THREE, 'networkPolicy.enabled=false'], /list callers, or set trustNetwork=true/)
})

t.test('values that cannot work are refused with a fix', { skip }, async (t) => {
  refused(t, [], /Set dynamics\.url to the environment/)
  refused(t, THREE.slice(0, 1), /Set azure\.tenantId and azure\.clientId/)
  refused(t, [...THREE, 'credential.kind=client-secret'], /Set credential\.secretName/)
  refused(t, [...THREE, 'credential.kind=password'], /credential.*kind/)
  refused(t, [...THREE, 'metrics.enabled=false', 'metrics.serviceMonitor.enabled=true'], /metrics\.enabled=true/)
  refused(t, [...THREE, 'mode=sidecar', 'metrics.enabled=true', 'metrics.serviceMonitor.enabled=true'], /podMonitor/)
  refused(t, [...THREE, 'config.configMapName=settings'], /leave dynamics\.url/)
  refused(t, ['config.configMapName=a', 'config.secretName=b'], /Set one of config\.configMapName, config\.secretName/)
  refused(t, [...THREE, 'redis.url=redis://a', 'redis.urlKey=b', 'redis.secretName=c'], /not both/)
  refused(t, [...THREE, 'redis.url=redis://a', 'redis.passwordKey=b'], /Set redis\.secretName/)
  refused(t, [...THREE, 'redis.url=redis://a'], /redis\.encryptionKeyKey: a workload identity has no secret/)
  refused(t, [...THREE, 'redis.url=redis://me:secret@a'], /redis/)
  refused(t, [...THREE, 'dynamics.url=http://contoso.crm4.dynamics.com'].slice(1), /url/)
  refused(t, [...THREE, 'replica=3'], /replica/)
  refused(t, [...THREE, 'env.DYNAMICS_URL=https://a'], /DYNAMICS_URL/)
  refused(t, [...THREE, 'port=80'], /port/)
})

t.test('the grace period of a pod is longer than the shutdown of its gateway', { skip }, async (t) => {
  const own = rendered(t, [chart, ...set([...THREE, 'shutdown.delaySeconds=20', 'shutdown.timeoutSeconds=60'])])
  t.match(podsOf(own)[0], { spec: { terminationGracePeriodSeconds: 95 } })
  t.match(variables(own), [{ name: 'HOST' }, { name: 'TRUST_NETWORK' }, { name: 'SHUTDOWN_DELAY', value: '20s' }])
  t.notOk(containersOf(podsOf(own)[0]!)[0]?.['lifecycle' as never], 'only one of them waits')

  const kubernetes = rendered(t, [chart, ...set([...THREE, 'shutdown.delayBy=preStop'])])
  t.match(podsOf(kubernetes)[0], { spec: { containers: [{ lifecycle: { preStop: { sleep: { seconds: 5 } } } }] } })
  t.notOk(variables(kubernetes).some(({ name }) => name === 'SHUTDOWN_DELAY'))
})

t.test('Prometheus can reach only the metrics port', { skip }, async (t) => {
  const objects = rendered(t, [chart, '--values', join(chart, 'ci/everything.yaml')])
  const { spec } = objects.find(({ kind }) => kind === 'NetworkPolicy')! as unknown as {
    spec: { ingress: { from: object[]; ports: object[] }[] }
  }

  t.match(spec.ingress[1], { from: [{ namespaceSelector: {} }], ports: [{ port: 'metrics' }] })
  t.equal(spec.ingress[1]!.ports.length, 1)
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const) {
    t.equal(containersOf(podsOf(objects)[0]!)[0]![probe]?.httpGet?.port, 'metrics')
  }
})

t.test("an app's own chart can include the gateway as a sidecar", { skip }, async (t) => {
  for (const metrics of [false, true]) {
    const objects = rendered(t, [
      sampleApp(t),
      ...set([
        `dynamics-gateway.metrics.enabled=${metrics}`,
        `dynamics-gateway.metrics.podMonitor.enabled=${metrics}`,
        'dynamics-gateway.target.maxRetryWait=30s',
        'dynamics-gateway.env=null',
      ]),
    ])

    t.equal(objectFaults(objects, t.testdir({})), '')
    t.same(pointerFaults(objects), [])
    t.same(objects.map(({ kind }) => kind).sort(), ['ConfigMap', 'Deployment', ...(metrics ? ['PodMonitor'] : [])])
    const [gateway] = containersOf(podsOf(objects)[0]!)
    t.match(gateway, { name: 'dynamics-gateway', restartPolicy: 'Always' })
    t.equal(gateway!.livenessProbe !== undefined, metrics, 'probes itself only where nobody else can')
    t.match(settingsOf(t, objects), { host: '127.0.0.1', trustNetwork: false, targets: [{ maxRetryWait: 30_000 }] })
  }
})

t.test('an unknown field of an object is detected', async (t) => {
  const broken = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'a' },
    spec: { ports: [{ prot: 'TCP', port: 1 }] },
  }
  t.match(objectFaults([broken], t.testdir({})), /prot.* does not exist in type 'ServicePort'/)
})

t.test('chart, image and package have the same version', async (t) => {
  const { version } = JSON.parse(readFileSync(join(charts, '../../package.json'), 'utf8')) as { version: string }
  const lines = readFileSync(join(chart, 'Chart.yaml'), 'utf8').split('\n')
  t.ok(lines.includes(`version: ${version}`))
  t.ok(lines.includes(`appVersion: ${version}`))
  t.match(readFileSync(join(charts, 'sample-app/Chart.yaml'), 'utf8'), `    version: ${version}\n`)
})

function rendered(t: Test, words: readonly string[]): KubernetesObject[] {
  const { status, stdout, stderr } = helm.run(['template', 'gw', ...words])
  t.equal(status, 0, stderr)
  return objectsOf(stdout)
}

function refused(t: Test, values: readonly string[], why: RegExp): void {
  const { status, stderr } = helm.run(['template', 'gw', chart, ...set(values)])
  t.not(status, 0, values.join(' '))
  t.match(stderr, why)
}

function set(values: readonly string[]): string[] {
  return values.flatMap((value) => ['--set', value])
}

/** The sample app with the chart that it depends on, as `helm dependency build` places it. */
function sampleApp(t: Test): string {
  const folder = t.testdir({})
  cpSync(join(charts, 'sample-app'), folder, { recursive: true })
  cpSync(chart, join(folder, 'charts/dynamics-gateway'), { recursive: true })
  return folder
}

function variables(objects: readonly KubernetesObject[]): NonNullable<Container['env']> {
  return (
    podsOf(objects)
      .flatMap(containersOf)
      .find(({ name }) => name === 'dynamics-gateway')?.env ?? []
  )
}

/** The settings that the gateway reads from the variables and files of its container. */
function settingsOf(t: Test, objects: readonly KubernetesObject[]): object {
  const folder = t.testdir({ secret: 'a-secret-of-more-than-32-characters' })
  const env = Object.fromEntries(
    variables(objects).map(({ name, value }) => {
      if (name.endsWith('_CA_PATH')) return [name, certificate]
      return [name, /_(?:FILE|PATH)$/.test(name) ? join(folder, 'secret') : value]
    }),
  )
  const file = objects.find(({ kind }) => kind === 'ConfigMap') as { data?: Record<string, string> } | undefined
  const text = file?.data?.['gateway.yaml']
  if (text === undefined) return loadSettings(env, undefined)
  writeFileSync(
    join(folder, 'gateway.yaml'),
    text.replace(/\/(?:secrets|var\/run\/secrets)\/\S+/g, join(folder, 'secret')),
  )
  return loadSettings({ ...env, GATEWAY_CONFIG: undefined }, join(folder, 'gateway.yaml'))
}
