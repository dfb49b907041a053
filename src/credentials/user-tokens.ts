import type { Target } from '../config/schema.ts'
import { UserTokenExpired } from '../errors.ts'
import type { Logger } from '../logging/logger.ts'
import { spanOf, systemClock } from './clock.ts'
import type { Span } from './clock.ts'
import { userScopeOf } from './credential-facts.ts'
import type { AccessTokens, FetchedToken, FetchToken } from './credential.ts'
import { asAuthorityFailure, AuthorityFailure } from './failure.ts'
import { fetchInTime } from './fetch-in-time.ts'
import { claimsOf } from './token-claims.ts'
import { createUserTokenCache } from './user-token-cache.ts'
import type { UserSession } from './user-token-cache.ts'
import { claimsRequired, exchangeFault } from './user-token-faults.ts'

/** The verified token of a person, and its claims. */
export interface UserToken extends UserSession {
  readonly assertion: string
}

/** Access tokens for callers' user tokens. */
export interface OnBehalfOf {
  readonly tokensOf: (user: UserToken) => AccessTokens
  /** How many sessions are cached. */
  readonly cachedSessions: () => number
  readonly close: () => void
}

/** Limit of cached sessions. Each takes a few kilobytes. */
const MAX_SESSIONS = 10_000

/** Exchanges user tokens by `fetch`, with the credential of `target`. */
export function onBehalfOf(
  target: Pick<Target, 'url' | 'scope' | 'tokenTimeout'>,
  clientId: string,
  fetch: FetchToken,
  log: Logger,
): OnBehalfOf {
  const scope = userScopeOf(target)
  const closing = new AbortController()
  let throttled: { readonly failure: AuthorityFailure; readonly span: Span } | undefined
  const cache = createUserTokenCache({
    maxSessions: MAX_SESSIONS,
    faultOf: (error) => exchangeFault(error, clientId),
    ended: () => new UserTokenExpired(),
  })

  return {
    tokensOf: (user) => ({
      authorization: () => cache.get(user, () => exchange(user)),
      discard(authorization, claims) {
        cache.discard(user, authorization, claims !== undefined)
        if (claims !== undefined) throw claimsRequired(claims)
      },
    }),
    cachedSessions: cache.size,
    close: () => closing.abort(new AuthorityFailure(STOPPING, false)),
  }

  /** The failure while Entra asks to wait. Valid tokens stay in use meanwhile, and Dynamics is not affected. */
  function throttling(): AuthorityFailure | undefined {
    if (throttled === undefined || throttled.span.isOver()) return undefined
    const { explanation, facts } = throttled.failure
    return new AuthorityFailure(explanation, false, { ...facts, retryAfter: throttled.span.left() })
  }

  async function exchange(user: UserToken): Promise<FetchedToken> {
    const paused = throttling()
    if (paused !== undefined) throw paused
    try {
      return await fetchFor(user)
    } catch (error) {
      const failure = asAuthorityFailure(error)
      const { status, retryAfter } = failure.facts
      // Without a time the refusal is that of one person, and pauses their session only.
      if (status === 429 && retryAfter !== undefined) {
        throttled = { failure, span: spanOf(Math.min(retryAfter, MAX_THROTTLED_MS), systemClock) }
      }
      log.warn({ ...failure.facts, err: failure.cause }, `no access token for a person: ${failure.message}`)
      throw failure
    }
  }

  async function fetchFor(user: UserToken): Promise<FetchedToken> {
    const request = { onBehalfOf: { assertion: user.assertion, scope } }
    const token = await fetchInTime(fetch, request, { timeout: target.tokenTimeout, closing: closing.signal })
    if (!isOf(user, token)) throw new AuthorityFailure(WRONG_PERSON, true)
    return token
  }
}

/** The longest Retry-After of an authority that is obeyed. */
const MAX_THROTTLED_MS = 60_000

/** Whether the token belongs to this person. A token that cannot be read passes, because its format is opaque. */
function isOf({ objectId, tenantId }: UserToken, { accessToken }: FetchedToken): boolean {
  const { oid, tid, idtyp } = claimsOf(accessToken)
  return (
    idtyp !== 'app' &&
    (oid === undefined || String(oid).toLowerCase() === objectId) &&
    (tid === undefined || String(tid).toLowerCase() === tenantId)
  )
}

const WRONG_PERSON = {
  what: 'Entra returned the token of another person for an exchange.',
  why: 'This must never happen: something else responds instead of Entra.',
  todo: 'Check AZURE_AUTHORITY_HOST and the proxy (HTTPS_PROXY).',
}

const STOPPING = { what: 'The gateway is stopping.', why: 'It received a signal to stop.', todo: 'Nothing.' }
