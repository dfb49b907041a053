import type { Rewriting, UrlRule } from './url-map.ts'

/** How many characters of a JSON string decide whether it starts with a URL of `rule`, with slashes escaped or not. */
export function decidingCharacters(rule: UrlRule): number {
  return 2 * rule.lookahead
}

/** At most `length` characters from `from`, up to a quote. A URL contains none, so an escaped one counts, too. */
export function untilQuote(text: string, from: number, length: number): string {
  const start = text.slice(from, from + length)
  const quote = start.indexOf('"')
  return quote === -1 ? start : start.slice(0, quote)
}

/** Like `UrlRule.rewrite`, for the text of a JSON string, in which a slash may be written `\/`. */
export function rewriteJsonUrl(rule: UrlRule, raw: string): Rewriting | undefined {
  if (!raw.includes('\\/')) return rule.rewrite(raw)
  const found = rule.rewrite(raw.replaceAll('\\/', '/'))
  if (found === undefined) return undefined
  let taken = 0
  for (let characters = found.length; characters > 0; characters--) taken += raw[taken] === '\\' ? 2 : 1
  return { length: taken, replacement: found.replacement }
}

/** Like `UrlRule.possible`, for the start of a JSON string. */
export function possibleJsonUrl(rule: UrlRule, raw: string): boolean {
  return rule.possible(raw.replaceAll('\\/', '/').replace(/\\$/, ''))
}
