import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** The secrets of the inspector: the token of the printed link, and the cookie that replaces it. */
export interface Keys {
  readonly token: string
  readonly opens: (token: string) => boolean
  /** The header that gives a browser its cookie. */
  readonly setCookie: (isEncrypted: boolean) => string
  /** Whether a Cookie header contains the cookie. */
  readonly holds: (cookies: string | undefined) => boolean
}

/** 256 bits of each. */
const KEY_BYTES = 32

/** Creates new keys. Those of an earlier start are invalid. */
export function createKeys(): Keys {
  const token = randomBytes(KEY_BYTES).toString('base64url')
  const value = randomBytes(KEY_BYTES).toString('base64url')
  // Cookies ignore ports, and several gateways may run on a machine.
  const name = `inspector-${randomBytes(6).toString('hex')}`
  return {
    token,
    opens: equals(token),
    setCookie: (isEncrypted) =>
      `${name}=${value}; Path=/-/inspector; HttpOnly; SameSite=Strict${isEncrypted ? '; Secure' : ''}`,
    holds(cookies = '') {
      const cookie = cookies.split(';').find((one) => one.trimStart().startsWith(`${name}=`))
      return cookie !== undefined && equals(value)(cookie.trim().slice(name.length + 1))
    },
  }
}

/** Compares in constant time. */
function equals(secret: string): (given: string) => boolean {
  const expected = sha256(secret)
  return (given) => timingSafeEqual(sha256(given), expected)
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
