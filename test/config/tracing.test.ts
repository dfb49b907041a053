import { join } from 'node:path'

import { generate } from 'selfsigned'
import t from 'tap'

import { readTracing } from '../../src/config/tracing.ts'
import type { TracingSettings } from '../../src/config/tracing.ts'

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }

function read(variables: NodeJS.Dict<string>): { settings: TracingSettings | undefined; errors: string[] } {
  const errors: string[] = []
  return { settings: readTracing(variables, errors), errors }
}

t.test('an endpoint enables tracing', async (t) => {
  const { settings, errors } = read(ENDPOINT)

  t.same(errors, [])
  t.match(settings, {
    url: 'http://collector:4318/v1/traces',
    protocol: 'http/protobuf',
    compression: 'none',
    timeoutMs: 10_000,
    resource: { 'service.name': 'dynamics-gateway' },
    sampler: { isParentBased: true, ratio: 1 },
  })
  t.same(settings!.headers(), {})
  t.same(settings!.tls(), {})
})

t.test('without an endpoint, or if it is switched off, nothing is traced', async (t) => {
  for (const variables of [
    {},
    { OTEL_SERVICE_NAME: 'x', OTEL_TRACES_SAMPLER: 'always_on' },
    { ...ENDPOINT, OTEL_SDK_DISABLED: 'true' },
    { ...ENDPOINT, OTEL_SDK_DISABLED: 'TRUE', OTEL_TRACES_SAMPLER: 'foo' },
    { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: '' },
  ]) {
    t.same(read(variables), { settings: undefined, errors: [] }, JSON.stringify(variables))
  }
})

t.test('/v1/traces is appended to the general endpoint, and not to the one for traces', async (t) => {
  for (const [name, value, url] of [
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'https://collector/', 'https://collector/v1/traces'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'https://collector/otlp', 'https://collector/otlp/v1/traces'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', '"https://collector/otlp/"', 'https://collector/otlp/v1/traces'],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'https://collector', 'https://collector/'],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'https://collector/x?y', 'https://collector/x?y'],
  ] as const) {
    t.equal(read({ ...ENDPOINT, [name]: value }).settings!.url, url)
  }
})

t.test('the variables of the SDK limit batches', async (t) => {
  t.same(read(ENDPOINT).settings!.batch, { maxSpans: 512, delayMs: 5000 })
  const variables = { ...ENDPOINT, OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '100', OTEL_BSP_SCHEDULE_DELAY: '20' }
  t.same(read(variables).settings!.batch, { maxSpans: 100, delayMs: 20 })
  for (const size of ['0', '2049', '10000', '-1', 'x']) {
    t.same(read({ ...ENDPOINT, OTEL_BSP_MAX_EXPORT_BATCH_SIZE: size }).errors, [
      'OTEL_BSP_MAX_EXPORT_BATCH_SIZE is not a number of spans: write 1 to 2048.',
    ])
  }
})

t.test('samplers are selected by name', async (t) => {
  for (const [name, share, sampler] of [
    ['always_on', undefined, { isParentBased: false, ratio: 1 }],
    ['always_off', undefined, { isParentBased: false, ratio: 0 }],
    ['traceidratio', '0.25', { isParentBased: false, ratio: 0.25 }],
    ['parentbased_always_on', '0.5', { isParentBased: true, ratio: 1 }],
    ['parentbased_always_off', undefined, { isParentBased: true, ratio: 0 }],
    ['parentbased_traceidratio', '.1', { isParentBased: true, ratio: 0.1 }],
    ['PARENTBASED_TRACEIDRATIO', undefined, { isParentBased: true, ratio: 1 }],
  ] as const) {
    const variables = { ...ENDPOINT, OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: share }
    t.same(read(variables).settings!.sampler, sampler, name)
  }
})

t.test('a placeholder, or a file that is not PEM, is an error', async (t) => {
  const folder = t.testdir({ empty: '', der: 'zq15' })
  for (const [name, values] of [
    ['OTEL_EXPORTER_OTLP_ENDPOINT', ['http://${ZQ15}:4318', 'http://{{zq15}}:4318', 'http://$ZQ15:4318']],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', ['http://your-host:4318', 'http://zq15\u200b:4318', 'http://a:0', 'http://a#zq15']],
    ['OTEL_EXPORTER_OTLP_HEADERS', ['zq15=${KEY}', 'zq15=<your-key>', 'zq15=changeme', 'authorization=Bearer <zq15>']],
    ['OTEL_SERVICE_NAME', ['<zq15>']],
    ['OTEL_RESOURCE_ATTRIBUTES', ['team=${ZQ15}', 'pod=$(ZQ15)']],
    ['OTEL_EXPORTER_OTLP_CERTIFICATE', [join(folder, 'empty'), join(folder, 'der')]],
    ['OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE', [join(folder, 'der')]],
  ] as const) {
    for (const value of values) {
      const { errors } = read({ ...ENDPOINT, [name]: value })
      t.equal(errors.length, 1, `${name}=${value}`)
      t.ok(errors[0]?.startsWith(`${name} `), errors[0]!)
      t.notMatch(errors[0], /zq15/i)
    }
  }
  t.same(read({ OTEL_EXPORTER_OTLP_ENPOINT: 'http://collector' }).errors, [
    'OTEL_EXPORTER_OTLP_ENPOINT is not a variable of OpenTelemetry. Did you mean OTEL_EXPORTER_OTLP_ENDPOINT?',
  ])
})

t.test('certificates are read at startup, and the client certificate must match its key', async (t) => {
  const [one, other] = await Promise.all([pair(), pair()])
  const folder = t.testdir({ ca: other.cert, cert: one.cert, key: one.private, 'other-key': other.private })
  const certificate = { OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE: join(folder, 'cert') }
  const key = { OTEL_EXPORTER_OTLP_CLIENT_KEY: join(folder, 'key') }
  const { settings, errors } = read({
    ...ENDPOINT,
    ...certificate,
    ...key,
    OTEL_EXPORTER_OTLP_CERTIFICATE: join(folder, 'ca'),
  })

  t.same(errors, [])
  t.same(settings!.tls(), { ca: other.cert, cert: one.cert, key: one.private })
  t.notMatch(JSON.stringify(settings), /KEY/)
  t.match(read({ ...ENDPOINT, ...certificate, OTEL_EXPORTER_OTLP_CLIENT_KEY: join(folder, 'other-key') }).errors, [
    /^OTEL_\w+_TRACES_CLIENT_CERTIFICATE and OTEL_\w+_OTLP_CLIENT_KEY name .* do not belong together: write the key/,
  ])
  t.match(read({ ...ENDPOINT, ...certificate }).errors, [
    /^OTEL_\w+_CERTIFICATE is set, but OTEL_\w+_KEY is not: set both/,
  ])
  t.match(read({ ...ENDPOINT, ...key }).errors, [/^OTEL_\w+_KEY is set, but OTEL_\w+_CERTIFICATE is not: set both/])
  t.match(read({ ...ENDPOINT, ...key, ...certificate, OTEL_EXPORTER_OTLP_CLIENT_KEY: join(folder, 'ca') }).errors, [
    /^OTEL_\w+_KEY names a file without a private key/,
  ])
})

t.test('errors name the variable, and never show its value', async (t) => {
  for (const [name, values, hint] of [
    ['OTEL_EXPORTER_OTLP_ENDPOINT', ['zq15', 'zq15:4317', 'ftp://zq15', '/zq15'], 'http://host:4318'],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', ['https://a:zq15@collector'], 'OTEL_EXPORTER_OTLP_HEADERS'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', ['zq15', 'http'], 'http/protobuf, http/json'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', ['grpc'], 'the port 4318'],
    ['OTEL_EXPORTER_OTLP_COMPRESSION', ['zq15'], 'none, gzip'],
    ['OTEL_EXPORTER_OTLP_TIMEOUT', ['zq15', '10s', '0', '-1', '9999999999'], '10000 for ten seconds'],
    ['OTEL_EXPORTER_OTLP_HEADERS', ['zq15', '=zq15', 'zq15 x=1', 'a=zq15%0d%0ab'], 'name=value'],
    ['OTEL_EXPORTER_OTLP_TRACES_HEADERS', ['a=zq15%'], '%25'],
    ['OTEL_RESOURCE_ATTRIBUTES', ['zq15', 'a=%zq15'], 'write'],
    ['OTEL_EXPORTER_OTLP_CERTIFICATE', ['/zq15/none'], 'ENOENT'],
    ['OTEL_TRACES_EXPORTER', ['zq15', 'console'], 'otlp, none'],
    ['OTEL_TRACES_SAMPLER', ['zq15', 'jaeger_remote'], 'parentbased_always_on'],
    ['OTEL_TRACES_SAMPLER_ARG', ['zq15', '1.1', '10%', '-0.1'], 'from 0 to 1'],
    ['OTEL_SDK_DISABLED', ['zq15', 'yes'], 'true, false'],
  ] as const) {
    for (const value of values) {
      const { errors } = read({ ...ENDPOINT, [name]: value })
      t.equal(errors.length, 1, `${name}=${value}`)
      t.ok(errors[0]!.startsWith(`${name} `) && errors[0]!.includes(hint), errors[0]!)
      t.notMatch(errors[0], /zq15/)
    }
  }
  t.same(
    read({ ...ENDPOINT, OTEL_FOO: 'bar', OTEL_METRICS_EXPORTER: 'x' }).errors,
    [],
    'other OTEL_ variables are ignored',
  )
})

function pair(): ReturnType<typeof generate> {
  return generate([{ name: 'commonName', value: 'gateway' }], { keyType: 'ec', algorithm: 'sha256' })
}
