import { randomBytes } from 'node:crypto'

import { keyHash } from '../callers/api-key.ts'

/**
 * `dynamics-gateway key`: makes a key for a caller and prints it, with the hash that belongs in the settings. The key
 * is
 * kept nowhere else.
 *
 * @returns the exit status
 */
export function key(print: (text: string) => void): number {
  const made = makeKey()
  print(
    [
      `Key, for the caller (it is shown this once):          ${made}`,
      `Hash, for "keys" of the caller in the settings file:  ${keyHash(made)}`,
      '',
      'The caller sends the key as "Authorization: Bearer <key>" or "X-Api-Key: <key>".',
      '',
    ].join('\n'),
  )
  return 0
}

/** A new key: 256 random bits, with a prefix that secret scanners can look for. */
export function makeKey(): string {
  return `dgk_${randomBytes(32).toString('base64url')}`
}
