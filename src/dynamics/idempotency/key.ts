import { createHmac } from 'node:crypto'

/** The longest key, in characters. */
export const MAX_KEY_CHARACTERS = 255

/**
 * The key that a header `Idempotency-Key` holds: a string of Structured Fields, in double quotes.
 *
 * @returns `undefined` when it holds anything else, several keys, or one of no or too many characters
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 * @see https://www.rfc-editor.org/rfc/rfc9651#section-3.3.3
 */
export function parseKey(value: string): string | undefined {
  const written = QUOTED.exec(value)?.[1]
  const key = written?.replace(/\\(.)/g, '$1')
  return key === undefined || key === '' || key.length > MAX_KEY_CHARACTERS ? undefined : key
}

const QUOTED = /^ *"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)" *$/

/** What decides whether two creates are the same one. */
export interface KeyScope {
  /** Origin of the environment. */
  readonly origin: string
  /** The caller id as it is sent; empty for the application user. */
  readonly user: string
  readonly entitySet: string
  readonly key: string
}

/**
 * The primary key of the row that a create with an idempotency key makes: a version 8 UUID. It is a keyed hash, because
 * Dynamics writes primary keys to its telemetry, where a caller's text has no business.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9562#section-5.8
 */
export function rowId(salt: string, { origin, user, entitySet, key }: KeyScope): string {
  // JSON keeps the parts apart, whatever they hold.
  const scope = JSON.stringify([origin.toLowerCase(), user.toLowerCase(), entitySet, key])
  const bytes = createHmac('sha256', salt).update(scope).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** A digest of a body that tells nobody without the salt what the body holds. */
export function bodyDigest(salt: string, body: Buffer): string {
  return createHmac('sha256', salt).update(body).digest('base64url')
}
