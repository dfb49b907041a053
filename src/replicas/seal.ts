import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

/** Encrypts and authenticates what replicas store in Redis. */
export interface Seal {
  /** The name of the scope. Only replicas with the secret can compute it. */
  readonly id: string
  /** The name of `key`. Only replicas with the secret can compute it. */
  readonly name: (key: string) => string
  /** Encrypts `text`. It can be decrypted only with the same `name`. */
  readonly encrypt: (name: string, text: string) => string
  /** Decrypts a sealed text; `undefined` for another secret or name, or a changed text. */
  readonly decrypt: (name: string, sealed: string) => string | undefined
}

const CIPHER = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** The version of the format. Replicas with another one cannot read what this one writes. */
const FORMAT = 'dynamics-gateway replicas 1'

/**
 * A seal for the replicas of `scope` that know `secret`. Without the secret, nobody with write access to Redis can
 * forge an entry, or replace one entry by another.
 */
export function createSeal(secret: string | Buffer, scope: string): Seal {
  const keys = Buffer.from(hkdfSync('sha256', secret, FORMAT, scope, 2 * KEY_BYTES))
  const nameKey = keys.subarray(0, KEY_BYTES)
  const textKey = keys.subarray(KEY_BYTES)
  const name = (key: string): string => createHmac('sha256', nameKey).update(key).digest('base64url')
  return {
    id: name('scope'),
    name,
    encrypt(name, text) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, textKey, nonce).setAAD(Buffer.from(name))
      return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString(
        'base64url',
      )
    },
    decrypt(name, sealed) {
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined
      try {
        const opener = createDecipheriv(CIPHER, textKey, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
          .setAAD(Buffer.from(name))
          .setAuthTag(bytes.subarray(-TAG_BYTES))
        return opener.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + opener.final('utf8')
      } catch {
        return undefined
      }
    },
  }
}
