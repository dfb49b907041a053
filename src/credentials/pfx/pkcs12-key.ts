import { createHash } from 'node:crypto'

/** What a derived key is for. */
export const PURPOSE = { key: 1, iv: 2, mac: 3 } as const

export interface Derivation {
  readonly hash: string
  readonly purpose: number
  readonly salt: Buffer
  readonly iterations: number
  /** Bytes wanted. */
  readonly size: number
}

/**
 * The key derivation of PKCS #12 files.
 *
 * @param password as {@link passwordBytes} writes it
 * @see https://www.rfc-editor.org/rfc/rfc7292#appendix-B.2
 */
export function deriveKey(password: Buffer, { hash, purpose, salt, iterations, size }: Derivation): Buffer {
  const block = hash === 'sha384' || hash === 'sha512' ? 128 : 64
  const diversifier = Buffer.alloc(block, purpose)
  const input = Buffer.concat([stretched(salt, block), stretched(password, block)])
  const parts: Buffer[] = []
  for (let length = 0; length < size;) {
    let digest = createHash(hash).update(diversifier).update(input).digest()
    for (let round = 1; round < iterations; round++) digest = createHash(hash).update(digest).digest()
    parts.push(digest)
    length += digest.length
    addToEach(input, stretched(digest, block).subarray(0, block))
  }
  return Buffer.concat(parts).subarray(0, size)
}

/** A password in the form that PKCS #12 derives keys from: UTF-16, highest byte first, with a zero at the end. */
export function passwordBytes(password: string): Buffer {
  return Buffer.from(`${password}\0`, 'utf16le').swap16()
}

/** `bytes` again and again, up to a whole number of blocks. */
function stretched(bytes: Buffer, block: number): Buffer {
  return bytes.length === 0 ? bytes : Buffer.alloc(block * Math.ceil(bytes.length / block), bytes)
}

/** Adds `addend` and 1 to each block of `blocks`, all taken for large numbers. */
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
