import {
  BadRequest,
  DynamicsAnswerInvalid,
  DynamicsBrokeOff,
  DynamicsTooSlow,
  DynamicsUnreachable,
  Stopping,
  isGatewayError,
  retryLater,
} from '../errors.ts'
import type { Stage } from './chain.ts'
import type { Timeouts } from './dispatch.ts'
import { Failure } from './failure.ts'
import { withRetryAdvice } from './retry-advice.ts'
import type { OutboundRequest } from './send.ts'

/** The kinds of failures that are handled differently. */
export type FailureKind =
  | 'unreachable'
  | 'untrusted'
  | 'connect-timeout'
  | 'head-timeout'
  | 'broke-off'
  | 'answer-invalid'
  | 'request-invalid'
  | 'stopping'
  | 'ours'

/** OpenSSL's and Node's codes for invalid certificates and failed TLS handshakes. */
const TLS_ERROR_CODES = /CERT|^UNABLE_TO_VERIFY|^ERR_(TLS|SSL)/

const REQUEST_INVALID = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH'])
const INVALID_RESPONSE_CODES = new Set(['UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'])

/** The kind of a failure, by undici's and Node's codes. */
export function failureKind({ cause, sent }: Failure): FailureKind {
  const { code = '', name, statusCode } = cause as { code?: string; name?: string; statusCode?: number }
  if (code.startsWith('GATEWAY_') || (statusCode !== undefined && code.startsWith('FST_'))) return 'ours'
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || (!sent && code === 'ETIMEDOUT')) return 'connect-timeout'
  if (code === 'UND_ERR_HEADERS_TIMEOUT') return 'head-timeout'
  if (code === 'UND_ERR_DESTROYED') return 'stopping'
  if (REQUEST_INVALID.has(code)) return 'request-invalid'
  // A certificate error is permanent: a retry fails too.
  if (!sent) return TLS_ERROR_CODES.test(code) ? 'untrusted' : 'unreachable'
  // Some parser errors of undici 7 have no code.
  const isUnreadable = name === 'HTTPParserError' || code.startsWith('HPE_') || INVALID_RESPONSE_CODES.has(code)
  return isUnreadable ? 'answer-invalid' : 'broke-off'
}

/** The timeouts for messages, in milliseconds. */
type AllTimeouts = Timeouts & { readonly connect: number }

const MALFORMED = 'The head of the request cannot be forwarded, or its body does not have the announced length.'

/** Converts a failure to the error for the caller, with the error of undici as its `cause`. */
export function explainFailures(timeouts: AllTimeouts): Stage {
  return {
    failed(error, request) {
      throw error instanceof Failure ? adviseIfSent(request, error, explained(error, timeouts)) : error
    },
  }
}

/**
 * The error for the caller when a body cannot be passed on, and nothing of it has gone out: the connection ended too
 * early, or what came is not a valid response.
 */
export function bodyError(cause: Error): Error {
  if (isGatewayError(cause)) return cause
  const { code = '', syscall } = cause as NodeJS.ErrnoException
  const isTransport = syscall !== undefined || code.startsWith('UND_ERR_')
  return isTransport && failureKind(new Failure(cause, true, false)) === 'broke-off'
    ? new DynamicsBrokeOff({ cause })
    : new DynamicsAnswerInvalid({ cause })
}

/** Kinds after which Dynamics may have executed the request. */
const IN_DOUBT: ReadonlySet<FailureKind> = new Set(['head-timeout', 'broke-off', 'answer-invalid', 'stopping'])

/** `error`, with a warning for callers that send a write again. */
function adviseIfSent(request: OutboundRequest, failure: Failure, error: Error): Error {
  const inDoubt = IN_DOUBT.has(failureKind(failure)) || error instanceof DynamicsAnswerInvalid
  return inDoubt && failure.sent ? withRetryAdvice(error, request) : error
}

function explained(failure: Failure, { connect, head }: AllTimeouts): Error {
  const cause = failure.cause as Error
  switch (failureKind(failure)) {
    case 'unreachable':
    case 'untrusted':
      return new DynamicsUnreachable({ cause })
    case 'connect-timeout':
      return new DynamicsTooSlow(`no connection within ${connect} ms (CONNECT_TIMEOUT)`, { cause })
    case 'head-timeout':
      return new DynamicsTooSlow(`no response began within ${head} ms (REQUEST_TIMEOUT)`, { cause })
    case 'broke-off':
      return new DynamicsBrokeOff({ cause })
    case 'answer-invalid':
      return new DynamicsAnswerInvalid({ cause })
    case 'request-invalid':
      return new BadRequest(MALFORMED, { cause })
    case 'stopping':
      return retryLater(new Stopping({ cause }), 1000)
    case 'ours':
      return cause
  }
}
