import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

/** Hides from Redis what replicas keep there. */
export interface Seal {
  /** Stands for the scope. */
  readonly id: string
  /** Stands for `key`. Nobody without the secret can compute it. */
  readonly name: (key: string) => string
  /** Encrypts `text`. It can only be opened under the same `name`. */
  readonly close: (name: string, text: string) => string
  /** `undefined`: another secret, another name, or not what was sealed. */
  readonly open: (name: string, sealed: string) => string | undefined
}

const CIPHER = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** Changes when replicas of another version must not read what this one writes. */
const FORMAT = 'dynamics-gateway replicas 1'

/**
 * A seal for what is shared of `scope` by all that know `secret`. Whoever can write to Redis but lacks the secret can
 * make nothing that opens, and cannot pass one entry off as another.
 */
export function createSeal(secret: string | Buffer, scope: string): Seal {
  const keys = Buffer.from(hkdfSync('sha256', secret, FORMAT, scope, 2 * KEY_BYTES))
  const nameKey = keys.subarray(0, KEY_BYTES)
  const textKey = keys.subarray(KEY_BYTES)
  const name = (key: string): string => createHmac('sha256', nameKey).update(key).digest('base64url')
  return {
    id: name('scope'),
    name,
    close(name, text) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, textKey, nonce).setAAD(Buffer.from(name))
      return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString(
        'base64url',
      )
    },
    open(name, sealed) {
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
