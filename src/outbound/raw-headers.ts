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
  return header.length === name.length && headerName(header) === name
}

/** The name of a header, in lower case. */
export function headerName(header: Buffer): string {
  return header.toString('latin1').toLowerCase()
}
