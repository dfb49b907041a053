import { isDigit } from './json-characters.ts'

/** The part of a number that was read last; `sign` at its start. */
export type NumberPart = 'sign' | 'zero' | 'whole' | 'point' | 'fraction' | 'e' | 'e-sign' | 'exponent'

/**
 * The part of a JSON number to which one more character belongs; `end` when the number ended before, `undefined` when
 * it is not a number.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8259#section-6
 */
export function numberPart(part: NumberPart, code: number): NumberPart | 'end' | undefined {
  if (isDigit(code)) {
    if (part === 'whole' || part === 'fraction' || part === 'exponent') return part
    if (part === 'sign') return code === ZERO ? 'zero' : 'whole'
    if (part === 'zero') return undefined
    return part === 'point' ? 'fraction' : 'exponent'
  }
  const isWhole = part === 'zero' || part === 'whole'
  if (code === POINT && isWhole) return 'point'
  if ((code | 0x20) === SMALL_E && (isWhole || part === 'fraction')) return 'e'
  if ((code === PLUS || code === MINUS) && part === 'e') return 'e-sign'
  return isWhole || part === 'fraction' || part === 'exponent' ? 'end' : undefined
}

const PLUS = 0x2b
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const SMALL_E = 0x65
