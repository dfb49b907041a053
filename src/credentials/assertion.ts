import { constants, createHash, randomUUID, sign } from 'node:crypto'

import type { KeyPair } from './certificate-file.ts'

/** Seconds that an assertion is valid. Some of them are in the past, because clocks differ. */
const LIFETIME_SECONDS = 600
const BACKDATE_SECONDS = 60

/**
 * A signed assertion that the gateway is `clientId`, for `tokenEndpoint` only. Signed here instead of by MSAL, which
 * rounds the time up, so that strict authorities sometimes refuse its assertions.
 *
 * @see https://learn.microsoft.com/entra/identity-platform/certificate-credentials
 */
export function signAssertion(
  { key, certificate, chain }: KeyPair,
  {
    clientId,
    tokenEndpoint,
    sendChain,
  }: {
    readonly clientId: string
    readonly tokenEndpoint: string
    readonly sendChain: boolean
  },
): string {
  const now = Math.floor(Date.now() / 1000)
  const begins = now - BACKDATE_SECONDS
  const header = {
    alg: 'PS256',
    typ: 'JWT',
    'x5t#S256': createHash('sha256').update(certificate.raw).digest('base64url'),
    ...(sendChain ? { x5c: [certificate, ...chain].map(({ raw }) => raw.toString('base64')) } : {}),
  }
  const claims = {
    aud: tokenEndpoint,
    iss: clientId,
    sub: clientId,
    jti: randomUUID(),
    iat: begins,
    nbf: begins,
    exp: begins + LIFETIME_SECONDS,
  }
  const signed = `${encoded(header)}.${encoded(claims)}`
  const signature = sign('sha256', Buffer.from(signed), {
    key,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: 32,
  })
  return `${signed}.${signature.toString('base64url')}`
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
