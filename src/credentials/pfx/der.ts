/** One element of ASN.1 in BER or DER, limited to what key files contain. */
export interface Element {
  /** The first byte: class, constructed bit, number. */
  readonly tag: number
  readonly content: Buffer
  /** The encoded element, with tag and length. */
  readonly encoded: Buffer
}

/** The bytes are not ASN.1. */
export class NotAsn1 extends Error {}

const SEQUENCE = 0x30
const OCTETS = 0x04

/** The element at the start of `bytes`. Throws {@link NotAsn1}. */
export function element(bytes: Buffer): Element {
  const tag = bytes[0]
  const first = bytes[1]
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw new NotAsn1()
  if (first === 0x80) return indefinite(bytes, tag)
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  if (lengthBytes > 4 || bytes.length < 2 + lengthBytes) throw new NotAsn1()
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(2, lengthBytes)
  const start = 2 + lengthBytes
  if (bytes.length < start + length) throw new NotAsn1()
  return { tag, content: bytes.subarray(start, start + length), encoded: bytes.subarray(0, start + length) }
}

/** The elements inside a constructed one. */
export function elements({ content }: Element): Element[] {
  const found: Element[] = []
  for (let rest = content; rest.length > 0;) {
    const next = element(rest)
    found.push(next)
    rest = rest.subarray(next.encoded.length)
  }
  return found
}

/** The elements of a SEQUENCE with at least `least` elements. */
export function sequence(one: Element | undefined, least: number): Element[] {
  if (one?.tag !== SEQUENCE) throw new NotAsn1()
  const members = elements(one)
  if (members.length < least) throw new NotAsn1()
  return members
}

/** The bytes of an OCTET STRING, which BER may split; `tag` if it is implicitly tagged. */
export function octets(one: Element | undefined, tag = OCTETS): Buffer {
  if (one?.tag === tag) return one.content
  if (one?.tag === (tag | 0x20)) return Buffer.concat(elements(one).map((part) => octets(part)))
  throw new NotAsn1()
}

/** A non-negative INTEGER that fits a number. */
export function integer(one: Element | undefined): number {
  if (one?.tag !== 0x02 || one.content.length === 0 || one.content.length > 6) throw new NotAsn1()
  return one.content.readUIntBE(0, one.content.length)
}

/** The encoding of an OBJECT IDENTIFIER, in hexadecimal. */
export function identifier(one: Element | undefined): string {
  if (one?.tag !== 0x06) throw new NotAsn1()
  return one.content.toString('hex')
}

/** BER's indefinite length: the elements inside, up to the end-of-contents octets. */
function indefinite(bytes: Buffer, tag: number): Element {
  let end = 2
  while (bytes[end] !== 0 || bytes[end + 1] !== 0) end += element(bytes.subarray(end)).encoded.length
  return { tag, content: bytes.subarray(2, end), encoded: bytes.subarray(0, end + 2) }
}
