import { hash, timingSafeEqual } from 'node:crypto'

/**
 * The SHA-256 of a key, as in the settings: 64 lower-case hexadecimal digits. A key has 256 random bits, so it needs no
 * salt and no slow hash.
 */
export function keyHash(key: string): string {
  return hash('sha256', key)
}

/**
 * Finds the owner of a key by the key's hash. The time depends only on the hash of the
 * sent key, which cannot be chosen to be similar to a listed hash.
 *
 * @param owners by the hash of their key
 */
export function keyOwner<T>(owners: Iterable<readonly [hash: string, owner: T]>): (hash: string) => T | undefined {
  const listed = new Map([...owners].map(([hash, owner]) => [hash, { bytes: Buffer.from(hash, 'hex'), owner }]))
  return (hash) => {
    const found = listed.get(hash)
    return found !== undefined && timingSafeEqual(found.bytes, Buffer.from(hash, 'hex')) ? found.owner : undefined
  }
}
