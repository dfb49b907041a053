import { BACKSLASH, COLON, COMMA, OPENING_BRACKET, QUOTE, isJsonSpace } from './json-characters.ts'
import { decidingCharacters, possibleJsonUrl, rewriteJsonUrl, untilQuote } from './json-string.ts'
import { INBOUND_LINK_ANNOTATIONS, MAX_LINK_ANNOTATION_LENGTH } from './link-names.ts'
import { type Edit, splice } from './splice.ts'
import type { TextTransform } from './text-transform.ts'
import type { UrlMap } from './url-map.ts'

/**
 * Rewrites the gateway's URLs in a JSON body as URLs of the target, where they are links: `@odata.id`, `@odata.bind`
 * (single or in an array), and the links of a row that is sent back as it was read. Other URLs and data that
 * looks like a link are unchanged.
 *
 * No JSON is parsed. In valid JSON `@odata.bind" :`, with a quote that is not escaped, can only be the end of a
 * member's name: inside a string the quote would be escaped, and a string that is a value has no colon after it.
 */
export function requestLinks(map: UrlMap): TextTransform {
  const rule = map.upstream
  const deciding = decidingCharacters(rule)
  let state: State = 'search'
  let name = ''
  let inArray = false
  let escaped = false
  /** The start of a link that continues in the next chunk. */
  let rest = ''

  function turn(chunk: string, isLast: boolean): string {
    const text = rest + chunk
    rest = ''
    const edits: Edit[] = []
    let at = 0
    while (at < text.length) {
      const code = text.charCodeAt(at)
      switch (state) {
        case 'search':
          at = text.indexOf('@', at)
          if (at === -1) return splice(text, text.length, edits)
          at++
          name = ''
          state = 'name'
          break
        case 'name':
          if (code === QUOTE) {
            state = INBOUND_LINK_ANNOTATIONS.has(name) ? 'colon' : 'search'
            at++
          } else if (
            code === AT ||
            name.length === MAX_LINK_ANNOTATION_LENGTH ||
            (name === '' && !INITIALS.includes(text[at]!))
          ) {
            state = 'search'
          } else {
            name += text[at]!
            at++
          }
          break
        case 'colon':
          if (code === COLON) state = 'value'
          else if (!isJsonSpace(code)) state = 'search'
          at++
          break
        case 'value':
          inArray = code === OPENING_BRACKET && name.endsWith('bind')
          if (inArray) state = 'array'
          else if (code === QUOTE) state = 'url'
          else if (!isJsonSpace(code)) state = 'search'
          at++
          break
        case 'array':
          if (code === QUOTE) state = 'url'
          else if (code !== COMMA && !isJsonSpace(code)) state = 'search'
          at++
          break
        case 'url': {
          const url = untilQuote(text, at, deciding)
          if (!isLast && url.length === text.length - at && url.length < deciding && possibleJsonUrl(rule, url)) {
            rest = text.slice(at)
            return splice(text, at, edits)
          }
          const found = rewriteJsonUrl(rule, url)
          if (found !== undefined) {
            edits.push({ from: at, to: at + found.length, put: found.replacement })
            at += found.length
          }
          state = inArray ? 'element' : 'search'
          break
        }
        case 'element':
          if (escaped) escaped = false
          else if (code === BACKSLASH) escaped = true
          else if (code === QUOTE) state = 'array'
          at++
          break
      }
    }
    return splice(text, text.length, edits)
  }

  return {
    push: (chunk) => turn(chunk, false),
    end: () => turn('', true),
  }
}

/** The context of the next character. */
type State =
  | 'search' // anywhere
  | 'name' // after an @
  | 'colon' // after the name of a link
  | 'value' // before its value
  | 'array' // in an array of links, between two
  | 'url' // after the quote that opens a link
  | 'element' // further on in a link of an array

const AT = 0x40

const INITIALS = [...new Set([...INBOUND_LINK_ANNOTATIONS].map((name) => name[0]))].join('')
