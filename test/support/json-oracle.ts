/**
 * Replaces the strings of a JSON text that are values of a member, or elements of an array that is one and holds
 * nothing but strings before them, by reading it token by token: slow and plain, to hold the fast way against.
 */
export function replaceValues(
  json: string,
  replace: (name: string, value: string, inArray: boolean) => string,
): string {
  const open: (string | undefined)[] = []
  let name: string | undefined
  let key: string | undefined
  return json.replace(/"((?:[^"\\]|\\[^])*)"|[[\]{}:,]|[^\s",:[\]{}]+/g, (token: string, text: string | undefined) => {
    const value = name
    if (token === ':') name = key
    else name = undefined
    if (text !== undefined) {
      key = text
      const array = open.at(-1)
      if (value !== undefined) return `"${replace(value, text, false)}"`
      return array === undefined ? token : `"${replace(array, text, true)}"`
    }
    if (token === ']' || token === '}') open.pop()
    else if (token !== ':' && token !== ',') {
      if (open.length > 0) open[open.length - 1] = undefined
      if (token === '[') open.push(value)
      else if (token === '{') open.push(undefined)
    }
    return token
  })
}
