import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

import type { Principal } from '../dataverse/impersonation.ts'
import { clientId, tenantId } from '../registration.ts'

/** How tokens are made; can be changed at any time. */
export interface TokenSettings {
  /** Seconds until an access token expires. */
  lifetime: number
  /** Seconds after which Entra advises to renew (`refresh_in`); `undefined` omits it. */
  refreshIn: number | undefined
}

/** A person who signed in, with the values that tokens contain. */
export interface Person {
  readonly objectId: string
  readonly name: string
  readonly userName: string
}

/** Issues access tokens and verifies them. */
export interface AccessTokens {
  issue(audience: string, person: Person | undefined, capabilities?: readonly string[]): string
  /** The identity in a token, or what is wrong with it. */
  verify(token: string, audiences: readonly string[]): Principal | 'malformed' | 'expired' | 'audience' | 'revoked'
  /** Invalidates every token issued so far. */
  revoke(): void
}

/** An issuer of JWTs with its own key. */
export function createAccessTokens(settings: TokenSettings): AccessTokens {
  const key = randomBytes(32)
  let generation = 0

  return {
    issue(audience, person, capabilities = []) {
      const now = Math.floor(Date.now() / 1000)
      const who =
        person === undefined
          ? { idtyp: 'app', oid: serviceObjectId, sub: serviceObjectId, roles: [] }
          : {
              oid: person.objectId,
              sub: person.objectId,
              scp: 'user_impersonation',
              name: person.name,
              upn: person.userName,
            }
      return signed(
        {
          aud: audience,
          iss: `https://sts.windows.net/${tenantId}/`,
          iat: now,
          nbf: now,
          exp: now + settings.lifetime,
          appid: clientId,
          appidacr: '1',
          tid: tenantId,
          ...who,
          ...(capabilities.length === 0 ? {} : { xms_cc: capabilities }),
          ver: '1.0',
          uti: `${randomBytes(12).toString('base64url')}.${generation}`,
        },
        key,
      )
    },
    verify(token, audiences) {
      const [header, payload, signature] = token.split('.')
      if (header === undefined || payload === undefined || signature === undefined) return 'malformed'
      const expected = createHmac('sha256', key).update(`${header}.${payload}`).digest()
      const given = Buffer.from(signature, 'base64url')
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'malformed'
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, string> & {
        readonly xms_cc?: readonly string[]
      }
      if (Number(claims['exp']) <= Date.now() / 1000) return 'expired'
      if (!audiences.includes(String(claims['aud']))) return 'audience'
      const isPerson = claims['scp'] !== undefined
      if (Number(String(claims['uti']).split('.')[1]) < generation) {
        // Only clients that declared cp1 get the claims challenge.
        return isPerson && !(claims['xms_cc'] ?? []).includes('cp1') ? 'expired' : 'revoked'
      }
      return { applicationId: String(claims['appid']), personId: isPerson ? claims['oid'] : undefined }
    },
    revoke: () => void (generation += 1),
  }
}

/** Object id of the application's service principal. */
const serviceObjectId = 'd4f3a8b1-6f0e-4b7c-9a25-31c8e07f9d62'

/** A JWT over `claims`, signed with HS256. */
export function signed(claims: Readonly<Record<string, unknown>>, key: Buffer): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part({ typ: 'JWT', alg: 'HS256', kid: 'emulated' })}.${part(claims)}`
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
}
