import { PROXY_VARIABLES } from './proxies.ts'

/** Variables that the gateway or one of its libraries reads, but that are not settings. */
const KNOWN = new Set([
  ...PROXY_VARIABLES,
  'IDENTITY_ENDPOINT',
  'IDENTITY_HEADER',
  'IDENTITY_SERVER_THUMBPRINT',
  'IMDS_ENDPOINT',
  'MSI_ENDPOINT',
  'MSI_SECRET',
  'AZURE_POD_IDENTITY_AUTHORITY_HOST',
  'XDG_STATE_HOME',
])

/** Prefixes of variables for Docker Compose, which reads the same `.env`, and for OpenTelemetry. */
const FOREIGN_PREFIXES = /^(?:COMPOSE|DOCKER|OTEL)_/

/** Variables that Node reads before it runs the gateway, so a `.env` file comes too late for them. */
const READ_BEFORE_START = new Set([
  'NODE_EXTRA_CA_CERTS',
  'NODE_OPTIONS',
  'NODE_USE_ENV_PROXY',
  'NODE_USE_SYSTEM_CA',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'TZ',
])

/** Whether a variable that is not a setting has a meaning in the gateway's `.env`. */
export function isForeign(name: string): boolean {
  return KNOWN.has(name) || FOREIGN_PREFIXES.test(name)
}

/** Whether a variable only has an effect when it is set for the process. */
export function isReadBeforeStart(name: string): boolean {
  return READ_BEFORE_START.has(name)
}
