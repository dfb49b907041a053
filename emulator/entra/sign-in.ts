import { createHash, randomBytes } from 'node:crypto'

import { EntraError } from './aadsts.ts'
import type { Person } from './access-tokens.ts'

/** What a person does when asked to sign in; can be changed at any time. */
export interface SignIn {
  /** E-mail address of the user who signs in. */
  user: string
  /** The outcome; `waiting` never ends. */
  answer: 'granted' | 'declined' | 'waiting'
  /** Seconds between two polls for a device code. */
  interval: number
  /** Seconds until a device code expires. */
  deviceLifetime: number
}

/** What a code or a refresh token grants. */
export interface Grant {
  readonly person: Person
  readonly scope: string
  readonly nonce: string | undefined
}

interface Code extends Grant {
  readonly redirectUri: string
  readonly challenge: string | undefined
  readonly expires: number
}

/** The codes, device codes and refresh tokens in use, each redeemable as in Entra. */
export interface Grants {
  code(grant: Grant, redirectUri: string, challenge: string | undefined): string
  redeemCode(code: string, redirectUri: string, verifier: string | undefined): Grant
  device(scope: string): { readonly deviceCode: string; readonly userCode: string }
  redeemDevice(deviceCode: string): Grant
  refreshToken(grant: Grant): string
  redeemRefreshToken(token: string): Grant
  /** Invalidates every refresh token, as a password change does. */
  revoke(): void
}

/** An empty set of grants. `signedIn` returns the person who signs in. */
export function createGrants(signIn: SignIn, signedIn: () => Person): Grants {
  const codes = new Map<string, Code>()
  const devices = new Map<string, { readonly scope: string; readonly expires: number }>()
  const refreshTokens = new Map<string, Grant>()

  return {
    code(grant, redirectUri, challenge) {
      const code = `0.A${randomBytes(48).toString('base64url')}`
      codes.set(code, { ...grant, redirectUri, challenge, expires: Date.now() + 600_000 })
      return code
    },
    redeemCode(code, redirectUri, verifier) {
      const found = codes.get(code)
      codes.delete(code)
      if (found === undefined || found.expires < Date.now()) throw new EntraError(70008)
      if (found.redirectUri !== redirectUri) throw new EntraError(70000)
      const proof = verifier === undefined ? undefined : createHash('sha256').update(verifier).digest('base64url')
      if (found.challenge !== proof) throw new EntraError(70000)
      return found
    },
    device(scope) {
      const deviceCode = `D${randomBytes(32).toString('base64url')}`
      devices.set(deviceCode, { scope, expires: Date.now() + signIn.deviceLifetime * 1000 })
      return {
        deviceCode,
        userCode: randomBytes(6)
          .toString('base64url')
          .toUpperCase()
          .replace(/[^A-Z0-9]/g, 'X'),
      }
    },
    redeemDevice(deviceCode) {
      const found = devices.get(deviceCode)
      if (found === undefined) throw new EntraError(70018)
      if (found.expires < Date.now()) throw new EntraError(70020)
      if (signIn.answer === 'waiting') throw new EntraError(70016)
      devices.delete(deviceCode)
      if (signIn.answer === 'declined') throw new EntraError(65004)
      return { person: signedIn(), scope: found.scope, nonce: undefined }
    },
    refreshToken(grant) {
      const token = `1.A${randomBytes(64).toString('base64url')}`
      refreshTokens.set(token, grant)
      return token
    },
    redeemRefreshToken(token) {
      const found = refreshTokens.get(token)
      if (found === undefined) throw new EntraError(700082)
      return found
    },
    revoke: () => refreshTokens.clear(),
  }
}
