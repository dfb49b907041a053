import { encodedText } from './encoded-text.ts'

/** The most rows that a query asks for, by `$top`. */
export function topOf(query: string): number {
  const tops = query.replace(/^\?/, '').split('&').map(topIn)
  return tops.find((top) => top !== undefined) ?? Infinity
}

/** `path` with its query, which asks for `rows` at most. */
export function withTop(path: string, rows: number): string {
  const queryStart = path.indexOf('?')
  if (queryStart === -1) return `${path}?$top=${rows}`
  const options = path.slice(queryStart + 1).split('&')
  const index = options.findIndex((option) => topIn(option) !== undefined)
  if (index === -1) return `${path}&$top=${rows}`
  options[index] = options[index]!.replace(/=.*/, `=${rows}`)
  return `${path.slice(0, queryStart + 1)}${options.join('&')}`
}

/**
 * The number in the query option `$top`, percent-encoded or not; `undefined` for other options, and for a value that is
 * no number of rows: Dynamics refuses it.
 */
function topIn(option: string): number | undefined {
  const [name = '', value = ''] = option.split('=', 2).map((part) => encodedText(part).text)
  // A plus is a sign, or a space of a form.
  return name.toLowerCase() === '$top' && TOP.test(value) ? Number(value.replaceAll('+', ' ')) : undefined
}

const TOP = /^[\s+]*\d+[\s+]*$/
