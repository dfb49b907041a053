import type { FailureFacts } from '../explanations/authority-errors.ts'
import { inOneLine } from '../explanations/explanation.ts'
import type { Explanation } from '../explanations/explanation.ts'
import { OwnError } from '../own-error.ts'

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

/** The authority asks more of the person than their token says: a second factor, another device. */
export class ClaimsDemanded extends AuthorityFailure {
  /** A claims request, as JSON text, that only the person's sign-in can meet. */
  readonly claims: string

  constructor({ explanation, facts, cause }: AuthorityFailure, claims: string) {
    super(explanation, true, facts, cause)
    this.claims = claims
  }
}

/** Whether `claims` is a claims request that can be handed on in a header: a JSON object of moderate size. */
export function isClaims(claims: unknown): claims is string {
  if (typeof claims !== 'string' || claims.length > LONGEST_CLAIMS) return false
  try {
    const request: unknown = JSON.parse(claims)
    return typeof request === 'object' && request !== null && !Array.isArray(request)
  } catch {
    return false
  }
}

const LONGEST_CLAIMS = 4096

/** `error` as an AuthorityFailure: what is none counts as something that passes. */
export function asAuthorityFailure(error: unknown): AuthorityFailure {
  if (error instanceof AuthorityFailure) return error
  return new AuthorityFailure(UNFORESEEN, false, {}, error)
}

const UNFORESEEN: Explanation = {
  what: 'The access token could not be fetched.',
  why: 'The gateway does not know the reason.',
  todo: "Look at the cause in the log, and report it with the gateway's version.",
}
