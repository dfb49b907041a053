// What the expressions of OData's query options hold, without a parser of them: nothing may escape it.

/**
 * Every name that a slash follows, as in `primarycontactid/fullname eq 'x'`, with or without a key between, and every
 * lambda's variable; parentheses that hold more than a key are named by themselves.
 *
 * @param steps names that may stand before a slash outside of parentheses, without leading anywhere
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
    // `a(1)` is read from its end; several pairs in a row are nothing that Dynamics takes.
    if (hasParentheses) end = lengthBefore(text, opening.get(end - 1)!)
    let start = end
    while (start > 0 && !/[\s(),;:='"/]/.test(text[start - 1]!)) start -= 1
    const name = text.slice(start, end)
    if (hasParentheses && name === '') names.add('()')
    else if (name !== '' && !(open.length === 0 && steps?.has(name.toLowerCase()) === true)) names.add(name)
  }
}

/** How much of `text` stands before `at`, without the blanks at its end. */
function lengthBefore(text: string, at: number): number {
  let end = at
  while (end > 0 && /\s/.test(text[end - 1]!)) end -= 1
  return end
}

/**
 * The ways to read `value` without what stands in single quotes; an open quote hides nothing. Where double quotes
 * occur, a single one between them may be a letter, so each reading counts.
 */
export function withoutTexts(value: string): readonly string[] {
  if (!value.includes('"')) return [unquoted(value, 'single')]
  return [unquoted(value, 'single'), unquoted(value, 'double'), unquoted(value, 'escaped')]
}

/** @param quotes which are read: single ones, double ones too, or those of JSON with their backslashes */
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

/** Splits where `separator` is outside of parentheses. */
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
