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
