/**
 * The first value of a header; `undefined` if it is absent.
 *
 * @param headers flat, as undici passes them: name, value, name, value
 * @param name in lower case
 */
export function rawHeader(headers: readonly Buffer[], name: string): string | undefined {
  for (let index = 0; index < headers.length; index += 2) {
    if (isNamed(headers[index]!, name)) return headers[index + 1]!.toString('latin1')
  }
  return undefined
}

/** @param name in lower case */
export function isNamed(header: Buffer, name: string): boolean {
  if (header.length !== name.length) return false
  for (let at = 0; at < name.length; at++) if (lowerCase(header[at]!) !== name.charCodeAt(at)) return false
  return true
}

function lowerCase(letter: number): number {
  return letter >= UPPER_A && letter <= UPPER_Z ? letter + TO_LOWER_CASE : letter
}

const [UPPER_A, UPPER_Z, TO_LOWER_CASE] = [0x41, 0x5a, 0x20]

/** The name of a header, in lower case. */
export function headerName(header: Buffer): string {
  return header.toString('latin1').toLowerCase()
}
