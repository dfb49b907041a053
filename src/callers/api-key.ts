import { hash, timingSafeEqual } from 'node:crypto'

/**
 * The SHA-256 of a key, as settings hold it: 64 small hexadecimal digits. A key has 256 random bits, so it needs no
 * salt and no slow hash.
 */
export function keyHash(key: string): string {
  return hash('sha256', key)
}

/**
 * Finds the owner of a key by the key's hash. What takes longer or shorter depends on the hash of what
 * was sent alone, which nobody can choose so as to come near a hash that is listed.
 *
 * @param owners whose key has which hash
 */
export function keyOwner<T>(owners: Iterable<readonly [hash: string, owner: T]>): (hash: string) => T | undefined {
  const listed = new Map([...owners].map(([hash, owner]) => [hash, { bytes: Buffer.from(hash, 'hex'), owner }]))
  return (hash) => {
    const found = listed.get(hash)
    return found !== undefined && timingSafeEqual(found.bytes, Buffer.from(hash, 'hex')) ? found.owner : undefined
  }
}
