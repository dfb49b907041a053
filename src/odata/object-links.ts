import { encodedText, withPut } from './encoded-text.ts'
import { rewriteJsonUrl } from './json-string.ts'
import { INBOUND_LINK_ANNOTATIONS } from './link-names.ts'
import type { Edit } from './splice.ts'
import type { UrlMap, UrlRule } from './url-map.ts'

/**
 * Rewrites the gateway's URLs as URLs of the target in the objects inside a part of a URL, as in
 * `{'@odata.id':'…'}`: the value of a parameter alias, or a path with parameters. Names and values may have
 * single or double quotes, as Dynamics reads them. A text that is not an object is unchanged.
 *
 * @param raw percent-encoded or not
 */
export function upstreamObjectLinks(map: UrlMap, raw: string): string {
  if (!raw.includes('{') && !(raw.includes('%') && /%7b/i.test(raw))) return raw
  const value = encodedText(raw)
  const edits = linksIn(value.text, map.upstream)
  return edits.length === 0 ? raw : withPut(value, edits)
}

function linksIn(text: string, rule: UrlRule): readonly Edit[] {
  const edits: Edit[] = []
  let depth = 0
  /** The last string or word, which is a name if a colon follows. */
  let name = ''
  /** Whether a string would be a link: `one` as the value of a name, `some` in its array. */
  let links: 'none' | 'one' | 'some' = 'none'
  for (let at = 0; at < text.length;) {
    const character = text[at]!
    if (character === "'" || character === '"') {
      const end = stringEnd(text, at, depth > 0)
      const string = text.slice(at + 1, end)
      if (links === 'none') name = string
      else {
        const found = rewriteJsonUrl(rule, string)
        if (found !== undefined) edits.push({ from: at + 1, to: at + 1 + found.length, put: found.replacement })
        if (links === 'one') links = 'none'
      }
      at = end + 1
      continue
    }
    const word = depth > 0 && WORD.test(character) ? wordEnd(text, at) : at
    if (word > at) {
      name = text.slice(at, word)
      at = word
      continue
    }
    switch (character) {
      case ':':
        links = depth > 0 && isLink(name) ? 'one' : 'none'
        break
      case '[':
        links = links === 'one' && name.endsWith('bind') ? 'some' : 'none'
        break
      case ']':
        links = 'none'
        break
      case '{':
        depth++
        links = 'none'
        break
      case '}':
        depth--
        links = 'none'
        break
      case ',':
        if (links === 'one') links = 'none'
        break
    }
    at++
  }
  return edits
}

function isLink(name: string): boolean {
  const atSign = name.lastIndexOf('@')
  return atSign !== -1 && INBOUND_LINK_ANNOTATIONS.has(name.slice(atSign + 1))
}

/** The closing quote of the string that starts at `start`. A backslash escapes a quote only within an object. */
function stringEnd(text: string, start: number, escapes: boolean): number {
  const quote = text[start]!
  let at = start + 1
  while (at < text.length && text[at] !== quote) at += escapes && text[at] === '\\' ? 2 : 1
  return Math.min(at, text.length)
}

const WORD = /[\w.@#]/

function wordEnd(text: string, start: number): number {
  let at = start
  while (at < text.length && WORD.test(text[at]!)) at++
  return at
}
