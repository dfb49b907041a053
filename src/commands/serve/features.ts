import type { Settings } from '../../config/schema.ts'

/** The optional features that `settings` enable, for the log line at start. */
export function featuresOf(
  settings: Pick<
    Settings,
    'callers' | 'tls' | 'auditLog' | 'inspector' | 'proxies' | 'metricsPort' | 'redis' | 'tracing'
  >,
): string[] {
  const { callers, tls, auditLog, inspector, proxies, metricsPort, redis, tracing } = settings
  return [
    ...(callers.length > 0 ? [`callers (${callers.length})`] : []),
    ...(tls === undefined ? [] : [tls.clientCa === undefined ? 'TLS' : 'TLS with client certificates']),
    ...(auditLog === undefined ? [] : ['audit log']),
    ...(inspector ? ['request inspector'] : []),
    ...(tracing === undefined ? [] : ['tracing']),
    ...(metricsPort === undefined ? [] : ['metrics listener']),
    ...(redis === undefined ? [] : ['replicas through Redis']),
    ...(proxies.https === undefined && proxies.http === undefined ? [] : ['outbound proxy']),
  ]
}
