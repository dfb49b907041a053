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

/** No token came. `message` is one sentence or two for an operator: what happened and the one thing to do. */
export class AuthorityFailure extends Error {
  /** The credential or the request was turned down: asking again soon is of no use. */
  readonly refused: boolean
  readonly facts: FailureFacts

  constructor(message: string, refused: boolean, facts: FailureFacts = {}, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause })
    this.refused = refused
    this.facts = facts
  }
}

/** `error` as an AuthorityFailure: what is none counts as something that passes. */
export function asAuthorityFailure(error: unknown): AuthorityFailure {
  if (error instanceof AuthorityFailure) return error
  return new AuthorityFailure('The access token could not be fetched, for a reason that the gateway does not know.', false, {}, error)
}
