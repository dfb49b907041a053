import type { JWTPayload, JWTVerifyGetKey } from 'jose'

import type { CallerSettings, TokenSettings } from '../config/settings/callers.ts'
import type { Caller } from '../identity/caller.ts'
import type { ReadJson } from '../outbound/read-json.ts'
import { withUser } from './token-user.ts'

/** A caller with a verified token, and the token's expiry in milliseconds since 1970. */
export interface TokenHolder {
  readonly caller: Caller
  readonly expires: number
}

/** A caller that is listed, with its settings. */
export interface Listed {
  readonly settings: CallerSettings
  readonly caller: Caller
}

/** The first condition that a token does not meet: `caller` means that it is genuine, and no listed caller's. */
export type TokenFault =
  | { readonly fault: 'form' | 'issuer' | 'algorithm' | 'audience' | 'signature' | 'expired' | 'not yet valid' }
  | { readonly fault: 'caller'; readonly missing: Condition; readonly claims: JWTPayload }

/** The claims of a token, or why it was refused. */
export type TokenVerdict =
  | { readonly holder: TokenHolder; readonly fault?: undefined }
  | ({ readonly holder?: undefined } & TokenFault)

/** A condition on the claims of a token. */
type Condition = 'roles' | 'scopes' | 'clientIds' | 'subjects'

/**
 * Finds the holder of an OIDC token: the first of `listed` whose settings it meets.
 *
 * @throws {CallerKeysUnavailable} while the issuer's keys are unavailable
 * @throws {UserNotAllowed} when the user must come from the token, which has none
 * @see https://learn.microsoft.com/entra/identity-platform/claims-validation
 */
export function tokenVerifier(listed: readonly Listed[], readJson: ReadJson): (token: string) => Promise<TokenVerdict> {
  const candidates = listed.flatMap(({ settings: { token, userFrom }, caller }) =>
    token === undefined ? [] : [{ caller, token, userFrom }],
  )
  const keysOf = new Map<string, JWTVerifyGetKey>()

  return async (token) => {
    const jose = await import('jose')
    try {
      const { iss, aud } = jose.decodeJwt(token)
      const { alg } = jose.decodeProtectedHeader(token)
      const ofIssuer = candidates.filter((one) => one.token.issuer === iss)
      if (ofIssuer.length === 0) return { fault: 'issuer' }
      const signed = ofIssuer.filter((one) => one.token.algorithms.includes(alg!))
      if (signed.length === 0) return { fault: 'algorithm' }
      const meant = signed.filter((one) => meets(one.token.audience, aud))
      let verdict: TokenVerdict = { fault: 'audience' }
      // They may have different key addresses, if only by mistake.
      for (const keys of new Set(meant.map((one) => one.token.keys))) {
        const of = meant.filter((one) => one.token.keys === keys)
        const { payload } = await jose.jwtVerify(token, await getKey(of[0]!.token), {
          issuer: iss!,
          algorithms: [alg!],
          clockTolerance: MAX_CLOCK_DIFFERENCE_SECONDS,
          requiredClaims: ['exp'],
        })
        const expires = (payload.exp! + MAX_CLOCK_DIFFERENCE_SECONDS) * 1000
        for (const one of of) {
          const missing = missingIn(payload, one.token)
          if (missing === undefined) {
            return { holder: { caller: withUser(one.caller, one.userFrom, payload, expires), expires } }
          }
          verdict = { fault: 'caller', missing, claims: payload }
        }
      }
      return verdict
    } catch (error) {
      if (error instanceof jose.errors.JOSEError || error instanceof TypeError) return { fault: faultOf(error) }
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

const MAX_CLOCK_DIFFERENCE_SECONDS = 60

/** The fault of a token, by the code of jose's error. */
function faultOf(error: Error & { readonly code?: string; readonly claim?: unknown }) {
  switch (error.code) {
    case 'ERR_JWT_EXPIRED':
      return 'expired'
    case 'ERR_JWT_CLAIM_VALIDATION_FAILED':
      return error.claim === 'nbf' ? 'not yet valid' : 'form'
    case 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED':
    case 'ERR_JWKS_NO_MATCHING_KEY':
      return 'signature'
    default:
      return 'form'
  }
}

/** The first condition of a caller that the claims of a genuine token do not meet. */
function missingIn(claims: JWTPayload, is: TokenSettings): Condition | undefined {
  if (is.roles.length > 0 && !meets(is.roles, claims['roles'])) return 'roles'
  if (is.scopes.length > 0 && !meets(is.scopes, words(claims['scp'] ?? claims['scope']))) return 'scopes'
  const clientId = claims['azp'] ?? claims['appid'] ?? claims['client_id']
  if (is.clientIds.length > 0 && !meets(is.clientIds, clientId)) return 'clientIds'
  return is.subjects.length === 0 || meets(is.subjects, claims.sub) ? undefined : 'subjects'
}

/** Whether a claim, a text or a list of texts, holds one of `wanted`. */
function meets(wanted: readonly string[], claim: unknown): boolean {
  const said: readonly unknown[] = Array.isArray(claim) ? claim : [claim]
  return said.some((one) => typeof one === 'string' && wanted.includes(one))
}

function words(claim: unknown): unknown {
  return typeof claim === 'string' ? claim.split(' ') : claim
}
