import {
  CredentialRejected,
  retryLater,
  TokenUnavailable,
  UserBlocked,
  UserClaimsRequired,
  UserConsentMissing,
  UserNotAllowed,
  UserSignInRequired,
  UserTokenExpired,
  UserTokenForAnotherApp,
  UserWithoutAccess,
} from '../errors.ts'
import { asAuthorityFailure, ClaimsDemanded } from './failure.ts'
import type { AuthorityFailure } from './failure.ts'
import type { ExchangeFault } from './user-token-cache.ts'

/** The meaning of Entra's numbers for the caller that sent the user token. */
const MEANINGS: ReadonlyMap<number, (cause: AuthorityFailure, clientId: string) => Error> = new Map([
  ...each([65001, 65004, 650057], (cause) => new UserConsentMissing({ cause })),
  ...each([50013, 500131, 50027], (cause, clientId) => new UserTokenForAnotherApp(`api://${clientId}/…`, { cause })),
  ...each([500133, 500132], (cause) => new UserTokenExpired({ cause })),
  ...each([53000, 53001, 53003, 530032, 530034, 530035], (cause) => new UserBlocked({ cause })),
  ...each([50020, 50034, 50057, 50105, 50177, 51004, 501051], (cause) => new UserWithoutAccess({ cause })),
  ...each([7000114], (cause) => new UserNotAllowed('its token is that of an application, not of a user', { cause })),
])

/** Milliseconds without another exchange for a session that Entra refused or could not serve. */
const REFUSED_PAUSE_MS = 10_000
const UNAVAILABLE_PAUSE_MS = 1000
const MAX_PAUSE_MS = 60_000

/** The effect of a failed exchange on the caller, which gets its own error, and on later requests. */
export function exchangeFault(error: unknown, clientId: string): ExchangeFault {
  const failure = asAuthorityFailure(error)
  const { facts, refused } = failure
  if (failure instanceof ClaimsDemanded) {
    // Never cached: the person's next sign-in may change the result.
    return { error: () => claimsRequired(failure.claims, failure), pause: 0, final: true }
  }
  const meaning = facts.aadsts === undefined ? undefined : MEANINGS.get(facts.aadsts)
  if (refused && meaning !== undefined) {
    return { error: () => meaning(failure, clientId), pause: REFUSED_PAUSE_MS, final: true }
  }
  if (refused && isPersonsFault(failure)) {
    return { error: () => new UserSignInRequired({ cause: failure }), pause: REFUSED_PAUSE_MS, final: true }
  }
  const pause = Math.min(
    MAX_PAUSE_MS,
    Math.max(refused ? REFUSED_PAUSE_MS : UNAVAILABLE_PAUSE_MS, facts.retryAfter ?? 0),
  )
  return {
    error: () =>
      refused
        ? new CredentialRejected({ cause: failure })
        : retryLater(new TokenUnavailable({ cause: failure }), pause),
    pause,
    final: false,
  }
}

/** The error that forwards a claims challenge to the caller. */
export function claimsRequired(claims: string, cause?: Error): Error {
  const encoded = Buffer.from(claims).toString('base64')
  const error = cause === undefined ? new UserClaimsRequired() : new UserClaimsRequired({ cause })
  return Object.assign(error, { challenge: `Bearer error="insufficient_claims", claims="${encoded}"` })
}

/** Whether Entra refused the person or their token, after it had accepted the credential. */
export function isPersonsFault(failure: AuthorityFailure): boolean {
  const { aadsts, error } = failure.facts
  return (
    failure instanceof ClaimsDemanded ||
    (aadsts !== undefined && MEANINGS.has(aadsts)) ||
    error === 'interaction_required' ||
    error === 'invalid_grant'
  )
}

type Meaning = (cause: AuthorityFailure, clientId: string) => Error

function each(numbers: readonly number[], meaning: Meaning): (readonly [number, Meaning])[] {
  return numbers.map((number) => [number, meaning] as const)
}
