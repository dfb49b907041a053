import { randomBytes } from 'node:crypto'

import { keyHash } from '../callers/api-key.ts'
import type { Io } from './command-io.ts'

/**
 * Generates a key for a caller and prints it, with the hash that belongs in the settings. The key is not stored.
 *
 * @returns the exit status
 */
export async function key(_: object, { stdout }: Io): Promise<number> {
  const generated = generateKey()
  stdout.write(
    [
      `Key, for the caller (it is not shown again):          ${generated}`,
      `Hash, for "keys" of the caller in the settings file:  ${keyHash(generated)}`,
      '',
      'The caller sends the key as "Authorization: Bearer <key>" or "X-Api-Key: <key>".',
      '',
    ].join('\n'),
  )
  return 0
}

/** A new key: 256 random bits, with a prefix that secret scanners recognise. */
export function generateKey(): string {
  return `dgk_${randomBytes(32).toString('base64url')}`
}
