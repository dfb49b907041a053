import type { Target } from '../config/schema.ts'
import { UserTokenExpired } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { userScopeOf } from './credential-facts.ts'
import type { AccessTokens, FetchedToken, FetchToken } from './credential.ts'
import { asAuthorityFailure, AuthorityFailure } from './failure.ts'
import { claimsOf } from './token-claims.ts'
import { createUserTokenCache } from './user-token-cache.ts'
import type { UserSession } from './user-token-cache.ts'
import { claimsRequired, exchangeFault } from './user-token-faults.ts'

/** The verified token of a person, and what it says of them. */
export interface UserToken extends UserSession {
  readonly assertion: string
}

/** The access tokens of people who called with a token of their own. */
export interface OnBehalfOf {
  readonly tokensOf: (user: UserToken) => AccessTokens
  /** How many sessions are remembered. */
  readonly remembered: () => number
  readonly close: () => void
}

/** Each is a few kilobytes. */
const MOST_SESSIONS = 10_000

/** Exchanges tokens of people by `fetch`, with the credential of `target`. */
export function onBehalfOf(
  target: Pick<Target, 'url' | 'scope' | 'tokenTimeout'>,
  clientId: string,
  fetch: FetchToken,
  log: Logger,
): OnBehalfOf {
  const scope = userScopeOf(target)
  const closing = new AbortController()
  const cache = createUserTokenCache({
    most: MOST_SESSIONS,
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
    remembered: cache.size,
    close: () => closing.abort(new AuthorityFailure(STOPPING, false)),
  }

  async function exchange(user: UserToken): Promise<FetchedToken> {
    const patience = new AbortController()
    const late = setTimeout(() => patience.abort(new AuthorityFailure(TOO_SLOW, false)), target.tokenTimeout)
    const signal = AbortSignal.any([patience.signal, closing.signal])
    try {
      signal.throwIfAborted()
      const token = await fetch({ onBehalfOf: { assertion: user.assertion, scope }, signal })
      if (!isOf(user, token)) throw new AuthorityFailure(SOMEBODY_ELSES, true)
      return token
    } catch (error) {
      const failure = asAuthorityFailure(error)
      log.warn({ ...failure.facts, err: failure.cause }, `no access token for a person: ${failure.message}`)
      throw failure
    } finally {
      clearTimeout(late)
    }
  }
}

/** Whether the token is this person's, as far as it can be read: its form is Entra's own affair. */
function isOf({ objectId, tenantId }: UserToken, { accessToken }: FetchedToken): boolean {
  const { oid, tid, idtyp } = claimsOf(accessToken)
  return (
    idtyp !== 'app' &&
    (oid === undefined || String(oid).toLowerCase() === objectId) &&
    (tid === undefined || String(tid).toLowerCase() === tenantId)
  )
}

const SOMEBODY_ELSES = {
  what: "Entra answered the exchange of a person's token with the token of somebody else.",
  why: 'This must never happen: something else answers in place of Entra.',
  todo: 'Check AZURE_AUTHORITY_HOST and the proxy (HTTPS_PROXY).',
}

const STOPPING = { what: 'The gateway is stopping.', why: 'It was told to.', todo: 'Nothing.' }

const TOO_SLOW = {
  what: 'The authority gave no token in time.',
  why: 'It is slow, or a firewall swallows what is sent to it.',
  todo: 'Let this machine reach it on port 443, or set HTTPS_PROXY; TOKEN_TIMEOUT allows more time.',
}
