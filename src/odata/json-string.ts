import type { Rewriting, UrlRule } from './url-map.ts'

/** How many characters of a JSON string decide whether it starts with a URL of `rule`, with slashes escaped or not. */
export function decidingCharacters(rule: UrlRule): number {
  return 2 * rule.lookahead
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
