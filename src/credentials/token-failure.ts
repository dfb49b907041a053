import { CredentialRejected, retryLater, TokenUnavailable } from '../errors.ts'
import { backOff, backOffWhileNeeded } from './back-off.ts'
import { spanOf } from './clock.ts'
import type { Clock, Span } from './clock.ts'
import type { AuthorityFailure } from './failure.ts'

/** A series of failed fetches. */
export interface FailureSeries {
  /** The last failure. */
  readonly failure: AuthorityFailure
  readonly inARow: number
  /** Milliseconds until the next fetch in the background. */
  readonly delay: number
  /** The same, as a running span. */
  readonly pause: Span
  /** The shorter pause while callers wait for a token and there is none. */
  readonly pauseWhileNeeded: Span
}

/**
 * The series that `failure` starts or continues. A rejected credential and an unavailable authority are
 * different series.
 *
 * @param random between 0 and 1
 */
export function nextFailure(
  previous: FailureSeries | undefined,
  failure: AuthorityFailure,
  random: number,
  clock: Clock,
): FailureSeries {
  const inARow = previous?.failure.refused === failure.refused ? previous.inARow + 1 : 1
  const delay = backOff(failure, inARow, random)
  return {
    failure,
    inARow,
    delay,
    pause: spanOf(delay, clock),
    pauseWhileNeeded: spanOf(backOffWhileNeeded(failure, inARow, random), clock),
  }
}

/** The error for a caller when there is no token. */
export function errorOf({ failure, pauseWhileNeeded }: FailureSeries): Error {
  return failure.refused
    ? new CredentialRejected({ cause: failure })
    : retryLater(new TokenUnavailable({ cause: failure }), pauseWhileNeeded.left())
}
