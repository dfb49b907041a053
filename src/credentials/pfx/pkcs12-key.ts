import { createHash } from 'node:crypto'

/** The purpose of a derived key (the ID byte of RFC 7292). */
export const PURPOSE = { key: 1, iv: 2, mac: 3 } as const

export interface Derivation {
  readonly hash: string
  readonly purpose: number
  readonly salt: Buffer
  readonly iterations: number
  /** Length of the result, in bytes. */
  readonly size: number
}

/**
 * The key derivation of PKCS #12 files.
 *
 * @param password in the encoding of {@link passwordBytes}
 * @see https://www.rfc-editor.org/rfc/rfc7292#appendix-B.2
 */
export function deriveKey(password: Buffer, { hash, purpose, salt, iterations, size }: Derivation): Buffer {
  const block = hash === 'sha384' || hash === 'sha512' ? 128 : 64
  const diversifier = Buffer.alloc(block, purpose)
  const input = Buffer.concat([repeatToBlocks(salt, block), repeatToBlocks(password, block)])
  const parts: Buffer[] = []
  for (let length = 0; length < size;) {
    let digest = createHash(hash).update(diversifier).update(input).digest()
    for (let round = 1; round < iterations; round++) digest = createHash(hash).update(digest).digest()
    parts.push(digest)
    length += digest.length
    addToEach(input, repeatToBlocks(digest, block).subarray(0, block))
  }
  return Buffer.concat(parts).subarray(0, size)
}

/** The password encoding of PKCS #12: UTF-16, big-endian, with a terminating zero. */
export function passwordBytes(password: string): Buffer {
  return Buffer.from(`${password}\0`, 'utf16le').swap16()
}

/** `bytes` repeated to fill complete blocks. */
function repeatToBlocks(bytes: Buffer, block: number): Buffer {
  return bytes.length === 0 ? bytes : Buffer.alloc(block * Math.ceil(bytes.length / block), bytes)
}

/** Adds `addend` and 1 to each block of `blocks`, as big-endian integers. */
function addToEach(blocks: Buffer, addend: Buffer): void {
  for (let start = 0; start < blocks.length; start += addend.length) {
    let carry = 1
    for (let at = addend.length - 1; at >= 0; at--) {
      const sum = blocks[start + at]! + addend[at]! + carry
      blocks[start + at] = sum & 0xff
      carry = sum >> 8
    }
  }
}
