import t from 'tap'

import { SETTING_VARIABLES } from '../../src/config/all-settings.ts'
import { misspeltVariable } from '../../src/config/misspelt-variable.ts'
import { suggestVariable } from '../../src/config/suggest-variable.ts'
import { readTracing } from '../../src/config/tracing.ts'

t.test('a variable with a name close to a setting is reported', async (t) => {
  for (const [name, meant] of [
    ['IMPERSONATION_MODE', 'IMPERSONATION'],
    ['ALLOW_HOSTS', 'ALLOWED_HOSTS'],
    ['AUDITLOG', 'AUDIT_LOG'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['log_level', 'LOG_LEVEL'],
    ['Log-Level', 'LOG_LEVEL'],
    ['LOG_LEVL', 'LOG_LEVEL'],
    ['AUDIT_LOG_FILE', 'AUDIT_LOG'],
    ['IMPERSONATION_HEADER', 'USER_EMAIL_HEADER'],
    ['GATEWAY_LOG_LEVEL', 'LOG_LEVEL'],
    ['DYNAMICS_GATEWAY_PORT', undefined],
    ['HEAD_TIMEOUT', 'headTimeout in a settings file'],
    ['dynamics_url', 'DYNAMICS_URL'],
    ['REQUEST_TIMEOUT_MS', 'REQUEST_TIMEOUT'],
    ['GATEWAY_CONFIG_FILE', 'GATEWAY_CONFIG'],
    ['MAX_CONNECTION', 'MAX_CONNECTIONS'],
    ['AUDIT_LOGS', 'AUDIT_LOG'],
    ['TRUSTED_PROXY', 'TRUSTED_PROXIES'],
  ] as const)
    t.equal(suggestVariable(name), meant, name)
})

t.test('variables of other programs are not reported', async (t) => {
  for (const name of [
    'PATH',
    'HOME',
    'HOSTNAME',
    'PORTS',
    'HOSTS',
    'POST',
    'USERNAME',
    'USER',
    'LANG',
    'NODE_ENV',
    'PWD',
    'SHLVL',
    'QUEUE',
    'NAME',
    'URL',
    'DYNAMICS_GATEWAY_SERVICE_HOST',
    'DYNAMICS_GATEWAY_PORT_8080_TCP_ADDR',
    'DYNAMICS_PORT',
    'KUBERNETES_PORT_443_TCP',
    'WEB_CONCURRENCY',
    'AZURE_SUBSCRIPTION_ID',
    'HTTPS_PROXY',
    'LOGNAME',
    'HOST_IP',
    'PORT_NAME',
    'LS_COLORS',
    'XDG_SESSION_ID',
    'COLORTERM',
    'POLL_TIMEOUT',
    'KILL_TIMEOUT',
    'REDIS_SSL',
    'REDIS_HOST',
  ])
    t.equal(suggestVariable(name), undefined, name)
  for (const name of SETTING_VARIABLES) t.equal(suggestVariable(name) ?? name, name, name)
})

t.test('the longer a name, the more letters may differ', async (t) => {
  for (const [name, meant] of [
    ['PROT', 'PORT'],
    ['PRT', 'PORT'],
    ['SORT', undefined],
    ['PTOR', undefined],
    ['LOG_LEVLE', 'LOG_LEVEL'],
    ['LOG_LVL', undefined],
    ['PUBLIC_URIS', 'PUBLIC_URL'],
    ['PUBLICURIES', undefined],
    ['IMPERSONATE', 'IMPERSONATION'],
    ['IMPERSONAL', undefined],
    ['azure.tenant.id', 'AZURE_TENANT_ID'],
    ['PORT', undefined],
    ['', undefined],
    ['X'.repeat(100_000), undefined],
  ] as const)
    t.equal(misspeltVariable(name, SETTING_VARIABLES), meant, name.slice(0, 40))
})

t.test('variables of OpenTelemetry that are not read here resemble none of those that are', async (t) => {
  const signals = ['LOGS', 'METRICS'].flatMap((signal) => [
    `OTEL_${signal}_EXPORTER`,
    ...['ENDPOINT', 'HEADERS', 'TIMEOUT', 'PROTOCOL', 'COMPRESSION', 'CERTIFICATE', 'CLIENT_KEY', 'INSECURE'].map(
      (part) => `OTEL_EXPORTER_OTLP_${signal}_${part}`,
    ),
  ])
  const others = [
    'OTEL_BLRP_EXPORT_TIMEOUT',
    'OTEL_BSP_EXPORT_TIMEOUT',
    'OTEL_BLRP_MAX_EXPORT_BATCH_SIZE',
    'OTEL_BLRP_MAX_QUEUE_SIZE',
    'OTEL_BLRP_SCHEDULE_DELAY',
    'OTEL_BSP_MAX_QUEUE_SIZE',
    'OTEL_CONFIG_FILE',
    'OTEL_ENTITIES',
    'OTEL_EXPORTER_JAEGER_ENDPOINT',
    'OTEL_EXPORTER_OTLP_INSECURE',
    'OTEL_EXPORTER_OTLP_TRACES_INSECURE',
    'OTEL_EXPORTER_PROMETHEUS_PORT',
    'OTEL_EXPORTER_ZIPKIN_ENDPOINT',
    'OTEL_LOG_LEVEL',
    'OTEL_METRICS_EXEMPLAR_FILTER',
    'OTEL_NODE_RESOURCE_DETECTORS',
    'OTEL_PROPAGATORS',
    'OTEL_SEMCONV_STABILITY_OPT_IN',
    'OTEL_SERVICE_VERSION',
    'OTEL_SPAN_EVENT_COUNT_LIMIT',
  ]
  const errors: string[] = []
  readTracing(Object.fromEntries([...signals, ...others].map((name) => [name, 'x'])), errors)
  t.same(errors, [])
})
