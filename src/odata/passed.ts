/** The names that a decoded expression goes through to reach another: those before a slash, outside of quoted texts. */
export function passedIn(expression: string): readonly string[] {
  const parts = expression.replace(/'[^']*'/g, "''").split('/')
  return parts.slice(0, -1).map((part) => lastName(part.trimEnd())).filter((name) => name !== '')
}

/** Read from its end, for a search from its beginning would take a time that grows with the square of its length. */
function lastName(text: string): string {
  let start = text.length
  while (start > 0 && !/[\s(),:;=']/.test(text[start - 1]!)) start--
  return text.slice(start)
}
