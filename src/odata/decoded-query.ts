/** The text of a name or value in a query, where a plus is a space; `undefined` if its percent-encoding is invalid. */
export function decodedQuery(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
