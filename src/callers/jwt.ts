import type { JWTPayload, JWTVerifyGetKey } from 'jose'

import type { CallerSettings, TokenSettings } from '../config/callers.ts'
import { UserNotAllowed } from '../errors.ts'
import type { Caller, Session } from '../identity/caller.ts'
import { isUserId } from '../odata/guid.ts'
import type { ReadJson } from '../outbound/read-json.ts'

/** A caller that proved itself with a token, and until when the token is good, in milliseconds since 1970. */
export interface TokenHolder {
  readonly caller: Caller
  readonly expires: number
}

/** A caller that is listed, with its settings. */
export interface Listed {
  readonly settings: CallerSettings
  readonly caller: Caller
}

/**
 * Tells who holds an OIDC token: the first of `listed` whose settings it meets; `undefined` when it is
 * nobody's, forged or expired.
 *
 * @throws {CallerKeysUnavailable} while the issuer's keys cannot be had
 * @see https://learn.microsoft.com/entra/identity-platform/claims-validation
 */
export function tokenHolder(
  listed: readonly Listed[],
  readJson: ReadJson,
): (token: string) => Promise<TokenHolder | undefined> {
  const candidates = listed.flatMap(({ settings: { token, userFrom }, caller }) =>
    token === undefined ? [] : [{ caller, token, userFrom }],
  )
  const keysOf = new Map<string, JWTVerifyGetKey>()

  return async (token) => {
    const jose = await import('jose')
    try {
      const { iss, aud } = jose.decodeJwt(token)
      const { alg } = jose.decodeProtectedHeader(token)
      const meant = candidates.filter(
        ({ token: { issuer, algorithms, audience } }) =>
          issuer === iss && algorithms.includes(alg!) && meets(audience, aud),
      )
      // They may differ in where the issuer's keys are, if only by mistake.
      for (const keys of new Set(meant.map((one) => one.token.keys))) {
        const of = meant.filter((one) => one.token.keys === keys)
        const { payload } = await jose.jwtVerify(token, await getKey(of[0]!.token), {
          issuer: iss!,
          algorithms: [alg!],
          clockTolerance: SKEW,
          requiredClaims: ['exp'],
        })
        const known = of.find((one) => isHeldBy(one.token, payload))
        if (known === undefined) continue
        const expires = (payload.exp! + SKEW) * 1000
        return { caller: withUser(known.caller, known.userFrom, payload, expires), expires }
      }
      return undefined
    } catch (error) {
      if (error instanceof jose.errors.JOSEError || error instanceof TypeError) return undefined
      throw error
    }
  }

  async function getKey({ issuer, keys }: TokenSettings): Promise<JWTVerifyGetKey> {
    const { issuerKeys } = await import('./issuer-keys.ts')
    const id = `${issuer} ${keys}`
    const known = keysOf.get(id) ?? issuerKeys(issuer, keys, readJson)
    keysOf.set(id, known)
    return known
  }
}

/** Clocks may differ by this many seconds. */
const SKEW = 60

/** Whether the claims of a token that is genuine are those of this caller. */
function isHeldBy(is: TokenSettings, claims: JWTPayload): boolean {
  if (is.roles.length > 0 && !meets(is.roles, claims['roles'])) return false
  if (is.scopes.length > 0 && !meets(is.scopes, words(claims['scp'] ?? claims['scope']))) return false
  const clientId = claims['azp'] ?? claims['appid'] ?? claims['client_id']
  if (is.clientIds.length > 0 && !meets(is.clientIds, clientId)) return false
  return is.subjects.length === 0 || meets(is.subjects, claims.sub)
}

/** Whether a claim, a text or a list of texts, holds one of `wanted`. */
function meets(wanted: readonly string[], claim: unknown): boolean {
  const said: readonly unknown[] = Array.isArray(claim) ? claim : [claim]
  return said.some((one) => typeof one === 'string' && wanted.includes(one))
}

function words(claim: unknown): unknown {
  return typeof claim === 'string' ? claim.split(' ') : claim
}

function withUser(caller: Caller, userFrom: CallerSettings['userFrom'], claims: JWTPayload, expires: number): Caller {
  if (userFrom === 'header') return caller
  if (userFrom === 'on-behalf-of') return { ...caller, user: { onBehalfOf: sessionOf(claims, expires) } }
  const claim = claims[userFrom]
  if (typeof claim !== 'string' || claim === '') throw new UserNotAllowed(`its token has no claim ${userFrom}`)
  if (isAppOnly(claims)) throw new UserNotAllowed('its token belongs to an application, not to a user')
  if (userFrom === 'oid') {
    if (!isUserId(claim)) throw new UserNotAllowed('the claim oid of its token is not an object id')
    return { ...caller, user: { objectId: claim.toLowerCase() } }
  }
  if (String(claims['email_verified']) === 'false') {
    throw new UserNotAllowed('the issuer has not verified the address in its token')
  }
  return { ...caller, user: { email: claim } }
}

/** Whose session a token of Entra's belongs to. */
function sessionOf(claims: JWTPayload, expires: number): Session {
  const { oid, tid, scp } = claims
  if (isAppOnly(claims)) throw new UserNotAllowed('its token is that of an application, not of a user')
  if (typeof scp !== 'string' || scp === '') {
    throw new UserNotAllowed('its token has no scope (scp): send an access token for the gateway, not an ID token')
  }
  if (typeof oid !== 'string' || typeof tid !== 'string' || !isUserId(oid) || !isUserId(tid)) {
    throw new UserNotAllowed('its token names no user of Entra (oid and tid)')
  }
  return { objectId: oid.toLowerCase(), tenantId: tid.toLowerCase(), expires }
}

/** Whether an app got the token for itself: Entra then names the app in `oid` as in `sub`, and gives no scopes. */
function isAppOnly(claims: JWTPayload): boolean {
  const { idtyp, scp, scope, oid, sub } = claims
  return idtyp === 'app' || (scp === undefined && scope === undefined && oid !== undefined && oid === sub)
}
