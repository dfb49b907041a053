import { createHmac } from 'node:crypto'

/** The longest key, in characters. */
export const MAX_KEY_CHARACTERS = 255

/**
 * The key in an `Idempotency-Key` header: a Structured Fields string, in double quotes.
 *
 * @returns `undefined` for anything else, several keys, or an empty or too long key
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 * @see https://www.rfc-editor.org/rfc/rfc9651#section-3.3.3
 */
export function parseKey(value: string): string | undefined {
  const quoted = QUOTED.exec(value)?.[1]
  const key = quoted?.replace(/\\(.)/g, '$1')
  return key === undefined || key === '' || key.length > MAX_KEY_CHARACTERS ? undefined : key
}

const QUOTED = /^ *"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)" *$/

/** What identifies a create. */
export interface KeyScope {
  /** Origin of the environment. */
  readonly origin: string
  /** The caller id of the request; empty for the application user. */
  readonly user: string
  readonly entitySet: string
  readonly key: string
}

/**
 * The primary key of the row of a create with an idempotency key: a version 8 UUID. It is a keyed hash, because
 * Dynamics writes primary keys to its telemetry, which must not contain a caller's text.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9562#section-5.8
 */
export function rowId(salt: string, { origin, user, entitySet, key }: KeyScope): string {
  // JSON separates the parts unambiguously.
  const scope = JSON.stringify([origin.toLowerCase(), user.toLowerCase(), entitySet, key])
  const bytes = createHmac('sha256', salt).update(scope).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** A digest of a body that reveals nothing without the salt. */
export function bodyDigest(salt: string, body: Buffer): string {
  return createHmac('sha256', salt).update(body).digest('base64url')
}
