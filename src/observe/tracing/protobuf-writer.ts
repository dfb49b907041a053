/** Protobuf's wire types. */
const [VARINT, FIXED_64, BYTES, FIXED_32] = [0, 1, 2, 5] as const

/** More than a tag and the number or length after it take. */
const MAX_HEAD_BYTES = 16

/** The greatest length that takes one byte. */
const MAX_SHORT_LENGTH = 127

const INITIAL_BYTES = 65_536

/**
 * Writes protobuf messages into one buffer, which grows and is reused, so that the garbage collector
 * has nothing to do.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export class ProtobufWriter {
  #buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  #length = 0

  /** The number of bytes written since the last `take`. */
  get length(): number {
    return this.#length
  }

  /** A non-negative integer. */
  number(field: number, value: number): void {
    this.#tag(field, VARINT)
    this.#length = writeVarint(this.#buffer, this.#length, value)
  }

  /** A non-negative integer in 4 bytes. */
  fixed32(field: number, value: number): void {
    this.#tag(field, FIXED_32)
    this.#length = this.#buffer.writeUInt32LE(value, this.#length)
  }

  /** A non-negative integer in 8 bytes. */
  fixed64(field: number, value: number): void {
    this.#tag(field, FIXED_64)
    const low = value % 0x1_0000_0000
    const middle = this.#buffer.writeUInt32LE(low, this.#length)
    this.#length = this.#buffer.writeUInt32LE((value - low) / 0x1_0000_0000, middle)
  }

  /** A string, in UTF-8. */
  text(field: number, value: string): void {
    const start = this.begin(field, 3 * value.length)
    // For short texts, JavaScript is faster than a call of Buffer's native function.
    const isWritten = value.length <= MAX_SHORT_LENGTH && writeAscii(this.#buffer, start, value)
    this.#length += isWritten ? value.length : this.#buffer.write(value, start)
    this.end(start)
  }

  /** Bytes, from lowercase hexadecimal digits. */
  hex(field: number, digits: string): void {
    const start = this.begin(field, digits.length / 2)
    this.#length = writeHex(this.#buffer, start, digits)
    this.end(start)
  }

  /**
   * Begins a message: everything that is written before `end` belongs to it.
   *
   * @param bytes to reserve for content that is written directly into the buffer
   * @returns the start of its content, for `end`
   */
  begin(field: number, bytes = 0): number {
    this.#tag(field, BYTES, bytes)
    // One byte for the length.
    return ++this.#length
  }

  /** @param start the result of `begin` */
  end(start: number): void {
    const length = this.#length - start
    if (length > MAX_SHORT_LENGTH) {
      this.#reserve(MAX_HEAD_BYTES)
      const moved = start - 1 + varintBytes(length)
      this.#buffer.copyWithin(moved, start, this.#length)
      this.#length = moved + length
    }
    writeVarint(this.#buffer, start - 1, length)
  }

  /** @returns a copy of the bytes written since the last `take` */
  take(): Buffer {
    const bytes = Buffer.from(this.#buffer.subarray(0, this.#length))
    this.#length = 0
    return bytes
  }

  #tag(field: number, type: number, bytes = 0): void {
    this.#reserve(MAX_HEAD_BYTES + bytes)
    this.#length = writeVarint(this.#buffer, this.#length, field * 8 + type)
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }
}

/** @returns the position after the number */
function writeVarint(buffer: Buffer, position: number, value: number): number {
  let at = position
  let rest = value
  while (rest > 127) {
    buffer[at++] = (rest % 128) + 128
    rest = Math.floor(rest / 128)
  }
  buffer[at++] = rest
  return at
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

/** @returns whether the text is ASCII; otherwise, its beginning is written */
function writeAscii(buffer: Buffer, start: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code > 127) return false
    buffer[start + index] = code
  }
  return true
}

/** @returns the position after the bytes */
function writeHex(buffer: Buffer, start: number, digits: string): number {
  let at = start
  for (let index = 0; index < digits.length; index += 2) {
    buffer[at++] = 16 * digitValue(digits.charCodeAt(index)) + digitValue(digits.charCodeAt(index + 1))
  }
  return at
}

/** @param code the code of a digit: `0` is 48, `a` is 97 */
function digitValue(code: number): number {
  return code < 58 ? code - 48 : code - 87
}
