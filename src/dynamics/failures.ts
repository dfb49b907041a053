import {
  BadRequest,
  DynamicsAnswerInvalid,
  DynamicsBrokeOff,
  DynamicsTooSlow,
  DynamicsUnreachable,
  Stopping,
  retryLater,
} from '../errors.ts'
import { Failure } from './dispatch.ts'
import type { Timeouts } from './dispatch.ts'
import { withDoubt } from './doubt.ts'
import type { OutboundRequest, Send } from './send.ts'

/** What went wrong on the way to an answer, as far as it decides what is done about it. */
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

/** OpenSSL's and Node's codes for certificates and for connections that cannot be secured. */
const UNTRUSTED = /CERT|^UNABLE_TO_VERIFY|^ERR_(TLS|SSL)/

const REQUEST_INVALID = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH'])
const ANSWER_INVALID = new Set(['UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'])

/** Tells what a failure is from undici's and Node's codes. */
export function failureKind({ cause, sent }: Failure): FailureKind {
  const { code = '', name, statusCode } = cause as { code?: string; name?: string; statusCode?: number }
  if (code.startsWith('GATEWAY_') || (statusCode !== undefined && code.startsWith('FST_'))) return 'ours'
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || (!sent && code === 'ETIMEDOUT')) return 'connect-timeout'
  if (code === 'UND_ERR_HEADERS_TIMEOUT') return 'head-timeout'
  if (code === 'UND_ERR_CLOSED' || code === 'UND_ERR_DESTROYED') return 'stopping'
  if (REQUEST_INVALID.has(code)) return 'request-invalid'
  // What is wrong with a certificate is still wrong a moment later.
  if (!sent) return UNTRUSTED.test(code) ? 'untrusted' : 'unreachable'
  // undici 7 gives some errors of its parser no code.
  const isUnreadable = name === 'HTTPParserError' || code.startsWith('HPE_') || ANSWER_INVALID.has(code)
  return isUnreadable ? 'answer-invalid' : 'broke-off'
}

/** How long is waited for what, in milliseconds. */
type Waits = Timeouts & { readonly connect: number }

const MALFORMED = 'The head of the request cannot be passed on, or its body is not as long as announced.'

/** Turns a failure into the error that the caller is answered with; what undici said stays its `cause`. */
export function explainFailures(send: Send, patience: Waits): Send {
  return (request) =>
    send(request).catch((error: unknown) => {
      throw error instanceof Failure ? doubtful(request, error, explained(error, patience)) : error
    })
}

/** Kinds that leave open whether Dynamics carried the request out. */
const IN_DOUBT: ReadonlySet<FailureKind> = new Set(['head-timeout', 'broke-off', 'answer-invalid', 'stopping'])

/** `error`, with what whoever sends a change again should know. */
function doubtful(request: OutboundRequest, failure: Failure, error: Error): Error {
  const inDoubt = IN_DOUBT.has(failureKind(failure)) || error instanceof DynamicsAnswerInvalid
  return inDoubt && failure.sent ? withDoubt(error, request) : error
}

function explained(failure: Failure, { connect, head }: Waits): Error {
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
