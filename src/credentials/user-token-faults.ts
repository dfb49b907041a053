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

/** What Entra's numbers mean for the one who sent the person's token. */
const MEANINGS: ReadonlyMap<number, (cause: AuthorityFailure, clientId: string) => Error> = new Map([
  ...each([65001, 65004, 650057], (cause) => new UserConsentMissing({ cause })),
  ...each([50013, 500131, 50027], (cause, clientId) => new UserTokenForAnotherApp(`api://${clientId}/…`, { cause })),
  ...each([500133, 500132], (cause) => new UserTokenExpired({ cause })),
  ...each([53000, 53001, 53003, 530032, 530034, 530035], (cause) => new UserBlocked({ cause })),
  ...each([50020, 50034, 50057, 50105, 50177, 51004, 501051], (cause) => new UserWithoutAccess({ cause })),
  ...each([7000114], (cause) => new UserNotAllowed('its token is that of an application, not of a user', { cause })),
])

/** Milliseconds for which Entra is not asked again for a session that it refused, or that it could not answer. */
const REFUSED = 10_000
const UNWELL = 1000
const LONGEST = 60_000

/** What a failed exchange means: for the caller, who gets an error of its own, and for later requests. */
export function exchangeFault(error: unknown, clientId: string): ExchangeFault {
  const failure = asAuthorityFailure(error)
  const { facts, refused } = failure
  if (failure instanceof ClaimsDemanded) {
    // Asked each time: the person's next sign-in may have changed the answer.
    return { error: () => claimsRequired(failure.claims, failure), pause: 0, final: true }
  }
  const meaning = facts.aadsts === undefined ? undefined : MEANINGS.get(facts.aadsts)
  if (refused && meaning !== undefined) {
    return { error: () => meaning(failure, clientId), pause: REFUSED, final: true }
  }
  if (refused && (facts.error === 'interaction_required' || facts.error === 'invalid_grant')) {
    return { error: () => new UserSignInRequired({ cause: failure }), pause: REFUSED, final: true }
  }
  const pause = Math.min(LONGEST, Math.max(refused ? REFUSED : UNWELL, facts.retryAfter ?? 0))
  return {
    error: () =>
      refused
        ? new CredentialRejected({ cause: failure })
        : retryLater(new TokenUnavailable({ cause: failure }), pause),
    pause,
    final: false,
  }
}

/** The error that hands a claims challenge on to the caller. */
export function claimsRequired(claims: string, cause?: Error): Error {
  const encoded = Buffer.from(claims).toString('base64')
  const error = cause === undefined ? new UserClaimsRequired() : new UserClaimsRequired({ cause })
  return Object.assign(error, { challenge: `Bearer error="insufficient_claims", claims="${encoded}"` })
}

type Meaning = (cause: AuthorityFailure, clientId: string) => Error

function each(numbers: readonly number[], meaning: Meaning): (readonly [number, Meaning])[] {
  return numbers.map((number) => [number, meaning] as const)
}
