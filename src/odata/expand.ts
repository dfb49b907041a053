import { passedIn } from './passed.ts'

/** What an `$expand` reaches. */
export interface Expanded {
  /** Navigation properties and types, nested ones too. */
  readonly names: readonly string[]
  /** Names that nested options go through to reach another. */
  readonly passed: readonly string[]
}

/**
 * Reads the decoded value of an `$expand`.
 *
 * @param depth of nesting so far
 * @returns `undefined` when it does not have the form of one, or is nested too deeply
 * @see https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part2-url-conventions.html#sec_SystemQueryOptionexpand
 */
export function expandedIn(value: string, depth = 0): Expanded | undefined {
  const items = splitAt(value, ',')
  if (items === undefined || depth > DEEPEST) return undefined
  const names: string[] = []
  const passed: string[] = []
  for (const item of items) {
    const [, path, options] = /^([^\s()'";,]+)(?:\s*\((.*)\))?$/s.exec(item.trim()) ?? []
    if (path === undefined || /[^\p{L}\p{N}_./$*-]/u.test(path)) return undefined
    names.push(...path.split('/').filter((name) => !name.startsWith('$')))
    for (const option of options === undefined ? [] : (splitAt(options, ';') ?? [''])) {
      const [, name, nested] = /^\s*\$?([a-z]+)\s*=(.*)$/is.exec(option) ?? []
      if (name === undefined || nested === undefined) return undefined
      const isExpand = name.toLowerCase() === 'expand'
      const read = isExpand ? expandedIn(nested, depth + 1) : { names: [], passed: passedIn(nested) }
      if (read === undefined) return undefined
      names.push(...read.names)
      passed.push(...read.passed)
    }
  }
  return { names, passed }
}

const DEEPEST = 32

/** Splits at `separator` outside of parentheses and quotes. */
function splitAt(text: string, separator: string): readonly string[] | undefined {
  const parts: string[] = []
  let depth = 0
  let inQuotes = false
  let start = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === "'") inQuotes = !inQuotes
    else if (inQuotes) continue
    else if (character === '(') depth++
    else if (character === ')') depth--
    else if (character === separator && depth === 0) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
    if (depth < 0) return undefined
  }
  return depth === 0 && !inQuotes ? [...parts, text.slice(start)] : undefined
}
