import { createLocalJWKSet, errors } from 'jose'
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose'

import { CallerKeysUnavailable, retryLater } from '../errors.ts'
import type { ReadJson } from '../outbound/read-json.ts'
import { OwnError } from '../own-error.ts'

/**
 * The public keys of a token issuer. They are read when first needed, every ten minutes from then on, and when a
 * token names a key that is not among them (the issuer has changed its keys), but for invented keys only a few times a
 * minute. While the issuer cannot be reached the known keys hold for a day.
 *
 * @param jwks where the keys are; `undefined`: where the issuer's discovery document says
 * @param now milliseconds, for tests
 * @see https://openid.net/specs/openid-connect-discovery-1_0.html
 */
export function issuerKeys(
  issuer: string,
  jwks: string | undefined,
  readJson: ReadJson,
  now: () => number = Date.now,
): JWTVerifyGetKey {
  let keys: ReturnType<typeof createLocalJWKSet> | undefined
  let readAt = -Infinity
  /** When the last few attempts were made. */
  const attempts: number[] = []
  let failure: unknown
  let reading: Promise<void> | undefined

  return async (header, token) => {
    if (now() - readAt > REREAD) await read()
    if (keys === undefined || now() - readAt > LONGEST) {
      throw retryLater(new CallerKeysUnavailable({ cause: failure }), PAUSE)
    }
    try {
      return await keys(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      await read()
      return await keys(header, token)
    }
  }

  /** Reads the keys, once for all who wait for them, and not again and again. */
  function read(): Promise<void> {
    if (reading === undefined && !rested()) return Promise.resolve()
    reading ??= attempt().finally(() => {
      reading = undefined
    })
    return reading
  }

  function rested(): boolean {
    const sinceLast = now() - (attempts.at(-1) ?? -Infinity)
    if (failure !== undefined) return sinceLast >= PAUSE
    return sinceLast >= COOLDOWN || attempts.length < AT_ONCE || now() - attempts[0]! >= MINUTE
  }

  async function attempt(): Promise<void> {
    attempts.push(now())
    if (attempts.length > AT_ONCE) attempts.shift()
    failure = undefined
    try {
      keys = createLocalJWKSet((await readJson(jwks ?? (await discovered()))) as JSONWebKeySet)
      readAt = now()
    } catch (error) {
      failure = error
    }
  }

  async function discovered(): Promise<string> {
    const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
    const document = (await readJson(address)) as { issuer?: unknown; jwks_uri?: unknown }
    if (document.issuer !== issuer) throw new OwnError("The discovery document is another issuer's.")
    const uri = document.jwks_uri
    if (typeof uri !== 'string' || new URL(uri).protocol !== new URL(issuer).protocol) {
      throw new OwnError('The discovery document names no keys.')
    }
    return uri
  }
}

const REREAD = 10 * 60_000
const LONGEST = 24 * 3_600_000
const MINUTE = 60_000
/** Attempts within a minute that need no pause between them. */
const AT_ONCE = 5
const COOLDOWN = 30_000
const PAUSE = 5000
