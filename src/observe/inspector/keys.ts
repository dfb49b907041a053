import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** What opens the inspector: the token of the printed link, and the cookie that it is changed for. */
export interface Keys {
  readonly token: string
  readonly opens: (token: string) => boolean
  /** The header that gives a browser its cookie. */
  readonly setCookie: (isEncrypted: boolean) => string
  /** Whether a Cookie header holds the cookie. */
  readonly holds: (cookies: string | undefined) => boolean
}

/** 256 bits of each. */
const KEY_BYTES = 32

/** Makes new keys: those of an earlier start open nothing. */
export function createKeys(): Keys {
  const token = randomBytes(KEY_BYTES).toString('base64url')
  const value = randomBytes(KEY_BYTES).toString('base64url')
  // Cookies do not tell ports apart, and several gateways may run on a machine.
  const name = `inspector-${randomBytes(6).toString('hex')}`
  return {
    token,
    opens: equals(token),
    setCookie: (isEncrypted) =>
      `${name}=${value}; Path=/-/inspector; HttpOnly; SameSite=Strict${isEncrypted ? '; Secure' : ''}`,
    holds(cookies = '') {
      const held = cookies.split(';').find((one) => one.trimStart().startsWith(`${name}=`))
      return held !== undefined && equals(value)(held.trim().slice(name.length + 1))
    },
  }
}

/** Compares in a time that says nothing of what is secret. */
function equals(secret: string): (given: string) => boolean {
  const expected = sha256(secret)
  return (given) => timingSafeEqual(sha256(given), expected)
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
