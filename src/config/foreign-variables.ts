import { PROXY_VARIABLES } from './proxies.ts'

/** Variables that the gateway or a library of it reads, and that are no settings. */
const READ = new Set([
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

/** Docker Compose reads them from the same `.env`; OpenTelemetry's have a specification of their own. */
const FAMILIES = /^(?:COMPOSE|DOCKER|OTEL)_/

/** Node reads them before it runs the gateway, so that a `.env` comes too late. */
const TOO_LATE = new Set([
  'NODE_EXTRA_CA_CERTS',
  'NODE_OPTIONS',
  'NODE_USE_ENV_PROXY',
  'NODE_USE_SYSTEM_CA',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'TZ',
])

/** Whether a variable that is no setting has a meaning in a `.env` beside the gateway. */
export function isForeign(name: string): boolean {
  return READ.has(name) || FAMILIES.test(name)
}

/** Whether a variable counts only where it is set for the process. */
export function isReadBeforeStart(name: string): boolean {
  return TOO_LATE.has(name)
}
