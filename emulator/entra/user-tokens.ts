import { generateKeyPairSync, randomUUID, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

import { clientId, tenantId } from '../registration.ts'
import { EntraError } from './aadsts.ts'
import type { Person } from './access-tokens.ts'

/** Claims of a user token that differ from the default. */
export interface UserTokenOptions {
  /** Default: the app registration. */
  readonly audience?: string
  readonly scope?: string
  /** Seconds from now; may be negative. */
  readonly expiresIn?: number
  /** The client id of the app that the person is signed in to. */
  readonly app?: string
  /** Further claims, such as `acrs`; `undefined` omits one. */
  readonly claims?: Readonly<Record<string, unknown>>
}

/** The tokens with which an app calls the gateway for its signed-in user, and their signing key. */
export interface UserTokens {
  issue(person: Person, options?: UserTokenOptions): string
  /** The claims of an assertion of the on-behalf-of grant; throws the error of Entra for an invalid one. */
  check(assertion: string, now: number): Readonly<Record<string, unknown>>
  /** The public key as a JWK. */
  readonly jwk: Readonly<Record<string, unknown>>
}

/** An issuer of tokens signed with RS256, with its own key. */
export function createUserTokens(): UserTokens {
  let pair: { readonly privateKey: KeyObject; readonly publicKey: KeyObject } | undefined
  // Generated on first use: most tests never need it.
  const keys = (): NonNullable<typeof pair> => (pair ??= generateKeyPairSync('rsa', { modulusLength: 2048 }))

  return {
    issue(person, { audience = clientId, scope = 'access_as_user', expiresIn = 3600, app = otherApp, claims } = {}) {
      const now = Math.floor(Date.now() / 1000)
      const payload = {
        aud: audience,
        iss: `https://login.microsoftonline.com/${tenantId}/v2.0`,
        iat: Math.min(now, now + expiresIn) - 1,
        nbf: Math.min(now, now + expiresIn) - 1,
        exp: now + expiresIn,
        azp: app,
        name: person.name,
        oid: person.objectId,
        preferred_username: person.userName,
        scp: scope,
        sub: Buffer.from(`${person.objectId}/${audience}`).toString('base64url').slice(0, 43),
        tid: tenantId,
        uti: randomUUID(),
        ver: '2.0',
        ...claims,
      }
      const text = [{ typ: 'JWT', alg: 'RS256', kid: KEY_ID }, payload]
        .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
        .join('.')
      return `${text}.${sign('sha256', Buffer.from(text), keys().privateKey).toString('base64url')}`
    },
    check(assertion, now) {
      const parts = assertion.split('.')
      if (parts.length !== 3) throw new EntraError(50027)
      const signature = Buffer.from(parts[2]!, 'base64url')
      if (!verify('sha256', Buffer.from(`${parts[0]}.${parts[1]}`), keys().publicKey, signature)) {
        throw new EntraError(50013)
      }
      const claims = JSON.parse(Buffer.from(parts[1]!, 'base64url').toString()) as Record<string, unknown>
      if (claims['aud'] !== clientId && claims['aud'] !== `api://${clientId}`) throw new EntraError(500131)
      // Entra allows a clock skew of five minutes.
      if (!(Number(claims['exp']) > now / 1000 - 300)) throw new EntraError(500133)
      if (claims['scp'] === undefined) throw new EntraError(7000114)
      return claims
    },
    get jwk() {
      return { ...keys().publicKey.export({ format: 'jwk' }), use: 'sig', kid: KEY_ID }
    },
  }
}

const KEY_ID = 'emulated-user-tokens'

/** The app that people sign in to. */
const otherApp = '9b2d6c1f-0a4e-4f3b-8d57-1c6e9a20b7f4'
