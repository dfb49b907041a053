import type { AttemptRecord, RequestRecord } from '../../dynamics/request-record.ts'
import { errorWord } from '../../logging/logged-error.ts'
import { METHODS } from '../../odata/methods.ts'
import type { Attributes } from './span.ts'
import type { TracedRequest } from './traced-request.ts'

// Names and attributes of spans. They follow OpenTelemetry's stable conventions for HTTP. Attributes without a
// conventional name begin with `gateway.`. See https://opentelemetry.io/docs/specs/semconv/http/http-spans/

/** The API root to which requests are sent. */
type Environment = NonNullable<TracedRequest['environment']>

/** The methods that appear in traces: callers must not be able to add names. */
const KNOWN_METHODS = new Set([...METHODS, 'QUERY'])

/** `GET /accounts`: the method and the route. */
export function spanName(method: string, entitySet = OTHER): string {
  return `${KNOWN_METHODS.has(method) ? method : 'HTTP'} ${routeOf(entitySet)}`
}

/** The name that the log uses for a path without an entity set. */
const OTHER = 'other'

/** The path up to the first key. */
function routeOf(entitySet: string): string {
  return entitySet === OTHER ? '/' : `/${entitySet}`
}

/** The attributes of the span of a caller's request. */
export function serverAttributes({ facts, isEncrypted }: TracedRequest): Attributes {
  const { method, entitySet, status, code, dynamicsCode, target, user, parts } = facts
  const route = routeOf(entitySet)
  const attributes: Record<string, string | number> = {
    'http.request.method': KNOWN_METHODS.has(method) ? method : '_OTHER',
    'http.route': route,
    'url.path': route,
    'url.scheme': isEncrypted ? 'https' : 'http',
    'gateway.request_id': facts.id,
    'gateway.caller': facts.caller,
  }
  // A caller that had disconnected got no status.
  if (status !== 499) attributes['http.response.status_code'] = status
  if (status >= 499) attributes['error.type'] = status === 499 ? 'ClientDisconnected' : (code ?? String(status))
  if (code !== undefined) attributes['gateway.code'] = code
  if (dynamicsCode !== undefined) attributes['gateway.dynamics_code'] = dynamicsCode
  if (target !== undefined) attributes['gateway.target'] = target
  if (user !== undefined) attributes['gateway.user'] = user
  if (parts !== undefined) attributes['gateway.batch_parts'] = parts
  return attributes
}

/** The attributes of the span of one attempt, of a request or of a lookup for it. */
export function clientAttributes(
  { entitySet = OTHER, dynamicsRequestId, slot, slots }: RequestRecord,
  { method, status, failure, connection }: AttemptRecord,
  { resends, isLast }: { readonly resends: number; readonly isLast: boolean },
  environment: Environment | undefined,
): Attributes {
  const attributes: Record<string, string | number> = { 'http.request.method': method }
  if (environment !== undefined) {
    const { address, port } = serverOf(environment)
    attributes['server.address'] = address
    attributes['server.port'] = port
    attributes['url.full'] = environment.origin + environment.apiRoot + routeOf(entitySet)
  }
  if (connection !== undefined) attributes['gateway.connection'] = connection
  if (resends > 0) attributes['http.request.resend_count'] = resends
  if (status !== undefined) attributes['http.response.status_code'] = status
  if (failure !== undefined) attributes['error.type'] = errorWord(failure)
  else if (status !== undefined && status >= 400) attributes['error.type'] = String(status)
  // The record has these of the last attempt only.
  if (isLast) {
    if (dynamicsRequestId !== undefined) attributes['gateway.dynamics_request_id'] = dynamicsRequestId
    if (slot > 0) {
      attributes['gateway.slot'] = slot
      attributes['gateway.slots'] = slots
    }
  }
  return attributes
}

interface Server {
  readonly address: string
  readonly port: number
}

const servers = new WeakMap<Environment, Server>()

function serverOf(environment: Environment): Server {
  let server = servers.get(environment)
  if (server === undefined) {
    const { hostname, port, protocol } = new URL(environment.origin)
    server = { address: hostname, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) }
    servers.set(environment, server)
  }
  return server
}
