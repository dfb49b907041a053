// Finds names in the expressions of OData's query options, without a parser. No name may be missed.

/**
 * Every name before a slash, as in `primarycontactid/fullname eq 'x'`, with or without a key, and every
 * lambda's variable. Parentheses with more than a key are returned as names of their own.
 *
 * @param steps names that may precede a slash outside parentheses without being navigation properties
 */
export function addPaths(text: string, names: Set<string>, steps?: ReadonlySet<string>): void {
  const opening = new Map<number, number>()
  const open: number[] = []
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '(') open.push(at)
    if (text[at] === ')') opening.set(at, open.pop() ?? at)
    if (text[at] !== '/') continue
    let end = lengthBefore(text, at)
    const hasParentheses = text[end - 1] === ')'
    // `a(1)` is read from its end. Dynamics does not accept several pairs in a row.
    if (hasParentheses) end = lengthBefore(text, opening.get(end - 1)!)
    let start = end
    while (start > 0 && !/[\s(),;:='"/]/.test(text[start - 1]!)) start -= 1
    const name = text.slice(start, end)
    if (hasParentheses && name === '') names.add('()')
    else if (name !== '' && !(open.length === 0 && steps?.has(name.toLowerCase()) === true)) names.add(name)
  }
}

/** The length of `text` up to `at`, without trailing blanks. */
function lengthBefore(text: string, at: number): number {
  let end = at
  while (end > 0 && /\s/.test(text[end - 1]!)) end -= 1
  return end
}

/**
 * The readings of `value` without text in single quotes; an unclosed quote hides nothing. If there are double quotes,
 * a single quote between them may be a literal character, so each reading counts.
 */
export function withoutLiterals(value: string): readonly string[] {
  if (!value.includes('"')) return [unquoted(value, 'single')]
  return [unquoted(value, 'single'), unquoted(value, 'double'), unquoted(value, 'escaped')]
}

/** @param quotes which quotes count: single ones, double ones too, or those of JSON with backslashes */
function unquoted(value: string, quotes: 'single' | 'double' | 'escaped'): string {
  let text = ''
  let at = 0
  while (at < value.length) {
    const character = value[at]!
    const isQuote = character === "'" || (character === '"' && quotes !== 'single')
    let end = at + 1
    if (isQuote) {
      while (end < value.length && value[end] !== character) {
        end += character === '"' && value[end] === '\\' && quotes === 'escaped' ? 2 : 1
      }
      if (end >= value.length) return text + value.slice(at)
      end += 1
    }
    const token = value.slice(at, end)
    text += !isQuote ? token : character === '"' ? token.replaceAll("'", '') : "''"
    at = end
  }
  return text
}

/** Splits at each `separator` outside parentheses. */
export function splitOutside(value: string, separator: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let at = 0; at < value.length; at += 1) {
    if (value[at] === '(') depth += 1
    if (value[at] === ')') depth -= 1
    if (value[at] === separator && depth <= 0) {
      parts.push(value.slice(start, at))
      start = at + 1
    }
  }
  return [...parts, value.slice(start)]
}
