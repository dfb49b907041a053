import type { AccessTokens } from '../entra/access-tokens.ts'
import { dataverseFaultReply } from '../http/fault-responses.ts'
import type { DataverseFault, FaultSource } from '../http/faults.ts'
import type { Operation, Reply } from '../http/operation.ts'
import { splitTarget } from './address.ts'
import { executeBatch } from './batch.ts'
import { challenge } from './challenge.ts'
import type { Environment } from './environment.ts'
import { DataverseError } from './errors.ts'
import { connectionUser, identityOf } from './impersonation.ts'
import { errorReply, execute } from './resources.ts'
import type { Throttle } from './throttle.ts'

/** The emulated Dataverse: an environment with its tokens, limits and faults. */
export interface Dataverse {
  readonly environment: Environment
  readonly accessTokens: AccessTokens
  readonly throttle: Throttle
  readonly faults: FaultSource<DataverseFault>
  /** The claims of the challenge for revoked tokens (continuous access evaluation); `undefined`: a plain challenge. */
  readonly claims: () => string | undefined
}

/** One request to Dataverse, with its complete body. */
export type DataverseRequest = Omit<Operation, 'identity' | 'references'>

/** Longest URL that is accepted, in characters. */
const MAX_URL_LENGTH = 32_768

/** Handles one request to Dataverse: authenticates it, checks limits, then executes it. */
export function handleDataverseRequest(dataverse: Dataverse, request: DataverseRequest): Reply {
  try {
    return authenticateAndExecute(dataverse, request)
  } catch (cause) {
    return errorReply(cause)
  }
}

function authenticateAndExecute(dataverse: Dataverse, request: DataverseRequest): Reply {
  const { environment, accessTokens, throttle, faults, claims } = dataverse
  const { path } = splitTarget(request.target)
  const method = methodOf(request)
  if (request.target.length > MAX_URL_LENGTH) throw new DataverseError(400, '', 'Bad Request - Request Too Long')
  if (!methods.has(method)) {
    throw new DataverseError(405, '0x80060888', `The requested resource does not support http method '${method}'.`)
  }
  if (method === 'OPTIONS') return { status: 200, headers: [] }

  const token = /^Bearer (\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
  const audiences = environment.origins.flatMap((origin) => [origin, `${origin}/`])
  const principal = token === undefined ? 'malformed' : accessTokens.verify(token, audiences)
  if (typeof principal === 'string') return challenge(request.origin, principal === 'revoked' ? claims() : undefined)
  if (environment.switches.organization === 'disabled') {
    throw new DataverseError(
      403,
      '0x8004A104',
      'The Dynamics 365 organization you are attempting to access is ' +
        'currently disabled.  Please contact your system administrator',
    )
  }
  const refusal = throttle.refusal()
  if (refusal !== undefined) return refusal

  const connection = connectionUser(environment, principal)
  const identity = identityOf(environment, connection, request.headers)
  const operation: Operation = { ...request, method, identity }
  if (!/^\/api\/data\/v9\.\d\/\$batch\/?$/.test(path)) return execute(environment, operation)
  return executeBatch(environment, operation, {
    identify: (headers) => identityOf(environment, connection, headers),
    fault(partMethod, target) {
      const fault = faults.take(partMethod, target, ({ inBatch }) => inBatch === true)
      return fault && dataverseFaultReply(fault, request.origin)
    },
  })
}

const methods = new Set(['GET', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS'])

/** The effective method: HEAD reads like GET, and a POST may override its method in a header. */
function methodOf({ method, headers }: DataverseRequest): string {
  const override = headers.get('x-http-method') ?? headers.get('x-http-method-override')
  if (method === 'POST' && override !== undefined) return override.toUpperCase()
  return method === 'HEAD' ? 'GET' : method
}
