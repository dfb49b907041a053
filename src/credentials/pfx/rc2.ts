/** The substitution table of RFC 2268, from the digits of pi. */
const PITABLE = Buffer.from(
  'd978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2' +
    '179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82' +
    '54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626' +
    '6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7' +
    '08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec' +
    'c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731' +
    '2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9' +
    '0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad',
  'hex',
)

/** Bits by which each of the four words of a block is rotated. */
const ROTATIONS = [1, 2, 3, 5] as const

/**
 * Decrypts RC2 in CBC mode, with the full effective key length, for the certificates in PFX files. Azure Key Vault,
 * Java and older versions of Windows and OpenSSL write them so, and Node's own OpenSSL no longer reads RC2. It protects
 * nothing here, because certificates are public. The padding is not removed.
 *
 * @see https://www.rfc-editor.org/rfc/rfc2268
 */
export function decryptRc2(encrypted: Buffer, key: Buffer, iv: Buffer): Buffer {
  const keys = expand(key)
  const plain = Buffer.alloc(encrypted.length)
  for (let at = 0; at + 8 <= encrypted.length; at += 8) {
    const words = [0, 2, 4, 6].map((offset) => encrypted.readUInt16LE(at + offset))
    decryptBlock(words, keys)
    const before = at === 0 ? iv : encrypted.subarray(at - 8, at)
    words.forEach((word, index) => plain.writeUInt16LE(word ^ before.readUInt16LE(2 * index), at + 2 * index))
  }
  return plain
}

function expand(key: Buffer): readonly number[] {
  const bytes = Buffer.alloc(128)
  key.copy(bytes)
  for (let at = key.length; at < 128; at++) bytes[at] = PITABLE[(bytes[at - 1]! + bytes[at - key.length]!) & 0xff]!
  bytes[128 - key.length] = PITABLE[bytes[128 - key.length]!]!
  for (let at = 127 - key.length; at >= 0; at--) bytes[at] = PITABLE[bytes[at + 1]! ^ bytes[at + key.length]!]!
  return Array.from({ length: 64 }, (_, index) => bytes.readUInt16LE(2 * index))
}

/** The inverse of 16 mixing rounds and two mashing rounds. */
function decryptBlock(words: number[], keys: readonly number[]): void {
  for (let round = 15; round >= 0; round--) {
    for (let at = 3; at >= 0; at--) {
      const [one, two, three] = [words[(at + 3) & 3]!, words[(at + 2) & 3]!, words[(at + 1) & 3]!]
      const rotated = ((words[at]! >>> ROTATIONS[at]!) | (words[at]! << (16 - ROTATIONS[at]!))) & 0xffff
      words[at] = (rotated - keys[4 * round + at]! - (one & two) - (~one & three)) & 0xffff
    }
    if (round === 11 || round === 5) {
      for (let at = 3; at >= 0; at--) words[at] = (words[at]! - keys[words[(at + 3) & 3]! & 63]!) & 0xffff
    }
  }
}
