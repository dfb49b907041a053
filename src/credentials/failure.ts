import { OwnError } from '../own-error.ts'
import { inOneLine } from './explanation.ts'
import type { Explanation } from './explanation.ts'

/** What is known of a failed attempt to get a token. Holds nothing secret, and no text of the authority. */
export interface FailureFacts {
  /** `metadata`, `token`: what was asked for. */
  readonly asked?: string
  readonly host?: string
  /** HTTP status; `undefined`: no answer came. */
  readonly status?: number
  /** OAuth error code, such as `invalid_client`. */
  readonly error?: string
  /** Number of Microsoft's error: 7000215 of AADSTS7000215. */
  readonly aadsts?: number
  /** Of the connection: `ECONNREFUSED`, `CERT_HAS_EXPIRED` … */
  readonly code?: string
  /** Milliseconds that the authority asks to wait. */
  readonly retryAfter?: number
  /** For Microsoft's support. */
  readonly correlationId?: string
  readonly traceId?: string
}

/** No token came. `message` is for an operator: what happened, why, and the one thing to do. */
export class AuthorityFailure extends OwnError {
  /** The credential or the request was turned down: asking again soon is of no use. */
  readonly refused: boolean
  readonly facts: FailureFacts
  readonly explanation: Explanation

  constructor(explanation: Explanation, refused: boolean, facts: FailureFacts = {}, cause?: unknown) {
    super(inOneLine(explanation), cause === undefined ? {} : { cause })
    this.refused = refused
    this.facts = facts
    this.explanation = explanation
  }
}

/** `error` as an AuthorityFailure: what is none counts as something that passes. */
export function asAuthorityFailure(error: unknown): AuthorityFailure {
  if (error instanceof AuthorityFailure) return error
  return new AuthorityFailure(UNFORESEEN, false, {}, error)
}

const UNFORESEEN: Explanation = {
  what: 'The access token could not be fetched.',
  why: 'For a reason that the gateway does not know.',
  todo: 'Look at the cause in the log, and report it with the gateway\'s version.',
}
