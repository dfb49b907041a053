import type { AccessTokens } from '../entra/access-tokens.ts'
import { dataverseFaultAnswer } from '../http/fault-responses.ts'
import type { DataverseFault, FaultSource } from '../http/faults.ts'
import type { Operation, Reply } from '../http/operation.ts'
import { parted } from './address.ts'
import { executeBatch } from './batch.ts'
import { challenge } from './challenge.ts'
import type { Environment } from './environment.ts'
import { DataverseError } from './errors.ts'
import { connectionUser, identityOf } from './impersonation.ts'
import { errorReply, execute } from './resources.ts'
import type { Throttle } from './throttle.ts'

/** The emulated Dataverse: an environment behind its door. */
export interface Dataverse {
  readonly environment: Environment
  readonly accessTokens: AccessTokens
  readonly throttle: Throttle
  readonly faults: FaultSource<DataverseFault>
  /** Whether tokens revoked are announced with the challenge of continuous access evaluation. */
  readonly claims: () => string | undefined
}

/** One whole request to Dataverse. */
export type DataverseRequest = Omit<Operation, 'identity' | 'references'>

/** Longest URL that is understood, in characters. */
const longestUrl = 32_768

/** Answers one request to Dataverse: who is it, may it come in, and then what it asks for. */
export function answerDataverse(dataverse: Dataverse, request: DataverseRequest): Reply {
  try {
    return admitted(dataverse, request)
  } catch (cause) {
    return errorReply(cause)
  }
}

function admitted(dataverse: Dataverse, request: DataverseRequest): Reply {
  const { environment, accessTokens, throttle, faults, claims } = dataverse
  const { path } = parted(request.target)
  const method = methodOf(request)
  if (request.target.length > longestUrl) throw new DataverseError(400, '', 'Bad Request - Request Too Long')
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
      return fault && dataverseFaultAnswer(fault, request.origin)
    },
  })
}

const methods = new Set(['GET', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS'])

/** The method that counts: HEAD reads as GET does, and a POST may name another one in a header. */
function methodOf({ method, headers }: DataverseRequest): string {
  const override = headers.get('x-http-method') ?? headers.get('x-http-method-override')
  if (method === 'POST' && override !== undefined) return override.toUpperCase()
  return method === 'HEAD' ? 'GET' : method
}
