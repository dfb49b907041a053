import type { FailureFacts } from '../explanations/authority-errors.ts'
import { inOneLine } from '../explanations/explanation.ts'
import type { Explanation } from '../explanations/explanation.ts'
import { OwnError } from '../logging/own-error.ts'
import { isJsonObject } from '../odata/json-object.ts'
import { parseJson } from '../odata/parse-json.ts'

/** No token was issued. `message` is for operators: what happened, why, and the fix. */
export class AuthorityFailure extends OwnError {
  /** The credential or the request was refused: an early retry is useless. */
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

/** The authority requires more of the person than their token proves: a second factor, another device. */
export class ClaimsDemanded extends AuthorityFailure {
  /** The claims request, as JSON text, which only a new sign-in of the person can meet. */
  readonly claims: string

  constructor({ explanation, facts, cause }: AuthorityFailure, claims: string) {
    super(explanation, true, facts, cause)
    this.claims = claims
  }
}

/** Whether `claims` is a claims request that fits into a header: a JSON object of moderate size. */
export function isClaims(claims: unknown): claims is string {
  return typeof claims === 'string' && claims.length <= MAX_CLAIMS_LENGTH && isJsonObject(parseJson(claims))
}

const MAX_CLAIMS_LENGTH = 4096

/** `error` as an AuthorityFailure. Any other error counts as transient. */
export function asAuthorityFailure(error: unknown): AuthorityFailure {
  if (error instanceof AuthorityFailure) return error
  return new AuthorityFailure(UNFORESEEN, false, {}, error)
}

const UNFORESEEN: Explanation = {
  what: 'The access token could not be fetched.',
  why: 'The gateway does not know the reason.',
  todo: "Look at the cause in the log, and report it with the gateway's version.",
}
