/**
 * `headers` without those that `isLeftOut` selects.
 *
 * @param headers flat: name, value, name, value
 * @param isLeftOut gets a name in lower case
 */
export function headersWithout(headers: readonly string[], isLeftOut: (name: string) => boolean): string[] {
  return headers.filter((_, index) => !isLeftOut(headers[index - (index % 2)]!.toLowerCase()))
}
