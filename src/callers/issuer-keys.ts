import { createLocalJWKSet, errors } from 'jose'
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose'

import { CallerKeysUnavailable, retryLater } from '../errors.ts'
import { OwnError } from '../logging/own-error.ts'
import type { ReadJson } from '../outbound/read-json.ts'

/**
 * The public keys of a token issuer. They are read when first needed, every ten minutes from then on, and when a token
 * names a key that is not among them (the issuer has rotated its keys), but for invented keys only a few times a
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
  /** Times of the last attempts. */
  const attempts: number[] = []
  let failure: unknown
  let reading: Promise<void> | undefined

  return async (header, token) => {
    if (now() - readAt > REFRESH_MS) await read()
    if (keys === undefined || now() - readAt > MAX_AGE_MS) {
      throw retryLater(new CallerKeysUnavailable({ cause: failure }), RETRY_PAUSE_MS)
    }
    try {
      return await keys(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      await read()
      return await keys(header, token)
    }
  }

  /** Reads the keys, once for all waiting requests, with a limit of attempts. */
  function read(): Promise<void> {
    if (reading === undefined && !rested()) return Promise.resolve()
    reading ??= attempt().finally(() => {
      reading = undefined
    })
    return reading
  }

  function rested(): boolean {
    const sinceLast = now() - (attempts.at(-1) ?? -Infinity)
    if (failure !== undefined) return sinceLast >= RETRY_PAUSE_MS
    return sinceLast >= COOLDOWN_MS || attempts.length < MAX_QUICK_ATTEMPTS || now() - attempts[0]! >= WINDOW_MS
  }

  async function attempt(): Promise<void> {
    attempts.push(now())
    if (attempts.length > MAX_QUICK_ATTEMPTS) attempts.shift()
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
      throw new OwnError('The discovery document has no jwks_uri.')
    }
    return uri
  }
}

const REFRESH_MS = 10 * 60_000
const MAX_AGE_MS = 24 * 3_600_000
const WINDOW_MS = 60_000
/** Attempts within a minute without a pause between them. */
const MAX_QUICK_ATTEMPTS = 5
const COOLDOWN_MS = 30_000
const RETRY_PAUSE_MS = 5000
