import { type EncodedText, encodedText, withPut } from './encoded-text.ts'
import { upstreamObjectLinks } from './object-links.ts'
import type { UrlMap } from './url-map.ts'

/**
 * Rewrites the gateway's URLs in a raw query as URLs of the target, where they are links: in `$id`, as in
 * `DELETE …/$ref?$id=…`, and in the objects of parameter aliases, as in `?@t={'@odata.id':'…'}`.
 * They stay percent-encoded if they were. Every other byte of the query is unchanged.
 *
 * @param query with or without its question mark
 */
export function requestQuery(map: UrlMap, query: string): string {
  if (!MAY_HOLD_LINKS.test(query)) return query
  const questionMark = query.startsWith('?') ? '?' : ''
  return (
    questionMark +
    query
      .slice(questionMark.length)
      .split('&')
      .map((option) => optionInward(map, option))
      .join('&')
  )
}

/** An option `$id`, or one whose name starts with `@`. */
const MAY_HOLD_LINKS = /[$4]id=|(?:^|[?&])(?:@|%40)/i

function optionInward(map: UrlMap, option: string): string {
  const equals = option.indexOf('=')
  const name = encodedText(option.slice(0, Math.max(equals, 0))).text
  const value = option.slice(equals + 1)
  if (name === '$id') return option.slice(0, equals + 1) + urlInward(map, encodedText(value))
  return name.startsWith('@') ? option.slice(0, equals + 1) + upstreamObjectLinks(map, value) : option
}

function urlInward(map: UrlMap, value: EncodedText): string {
  const found = map.upstream.rewrite(value.text)
  return found === undefined ? value.raw : withPut(value, [{ from: 0, to: found.length, put: found.replacement }])
}
