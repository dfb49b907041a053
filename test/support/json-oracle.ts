/**
 * Replaces the strings of a JSON text that are the value of a member, or elements of an array that is the value of a
 * member, if only strings precede them. Reads token by token: slow and simple, as an oracle for the fast
 * implementation.
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
