import { Buffer } from 'node:buffer'
import type { ByteTransform } from './byte-transform.ts'
import { decidingBytes, possibleJsonUrl, rewriteJsonUrl } from './json-string.ts'
import { type Edit, splice } from './splice.ts'
import type { UrlMap } from './url-map.ts'

/**
 * Turns the gateway's own URLs in the `@odata.id` and `@odata.bind` of a JSON body, single or in an array, into URLs of
 * the target; URLs of others and data that looks like a link stay as they are.
 *
 * No JSON is parsed. In valid JSON `@odata.bind" :`, with a quote that is not escaped, can only be the end of a
 * member's name: inside a string the quote were escaped, and a string that is a value has no colon after it.
 */
export function jsonLinksInward(map: UrlMap): ByteTransform {
  const rule = map.inward
  const deciding = decidingBytes(rule)
  let state: State = 'search'
  let name = ''
  let inArray = false
  let escaped = false
  let held: Buffer = EMPTY

  function turn(bytes: Buffer, whole: boolean): readonly Buffer[] {
    const edits: Edit[] = []
    let at = 0
    while (at < bytes.length) {
      const byte = bytes[at]!
      switch (state) {
        case 'search':
          at = bytes.indexOf(AT, at)
          if (at === -1) return splice(bytes, bytes.length, edits)
          at++
          name = ''
          state = 'name'
          break
        case 'name':
          if (byte === QUOTE) {
            state = NAMES.has(name) ? 'colon' : 'search'
            at++
          } else if (byte === AT || name.length === LONGEST_NAME || (name === '' && !INITIALS.includes(byte))) {
            state = 'search'
          } else {
            name += String.fromCharCode(byte)
            at++
          }
          break
        case 'colon':
          if (byte === COLON) state = 'value'
          else if (!isSpace(byte)) state = 'search'
          at++
          break
        case 'value':
          inArray = byte === OPENING && name.endsWith('bind')
          if (inArray) state = 'array'
          else if (byte === QUOTE) state = 'url'
          else if (!isSpace(byte)) state = 'search'
          at++
          break
        case 'array':
          if (byte === QUOTE) state = 'url'
          else if (byte !== COMMA && !isSpace(byte)) state = 'search'
          at++
          break
        case 'url': {
          const start = bytes.toString('latin1', at, Math.min(at + deciding, bytes.length))
          const quote = start.indexOf('"')
          const url = quote === -1 ? start : start.slice(0, quote)
          if (!whole && url.length === bytes.length - at && url.length < deciding && possibleJsonUrl(rule, url)) {
            held = bytes.subarray(at)
            return splice(bytes, at, edits)
          }
          const found = rewriteJsonUrl(rule, url)
          if (found !== undefined) {
            edits.push({ from: at, to: at + found.taken, put: found.put })
            at += found.taken
          }
          state = inArray ? 'element' : 'search'
          break
        }
        case 'element':
          if (escaped) escaped = false
          else if (byte === BACKSLASH) escaped = true
          else if (byte === QUOTE) state = 'array'
          at++
          break
      }
    }
    return splice(bytes, bytes.length, edits)
  }

  function take(chunk: Buffer): Buffer {
    const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    held = EMPTY
    return bytes
  }

  return {
    push: (chunk) => turn(take(chunk), false),
    end: () => turn(take(EMPTY), true),
  }
}

/** Where in the text the next byte stands. */
type State =
  | 'search' // anywhere
  | 'name' // after an @
  | 'colon' // after the name of a link
  | 'value' // before its value
  | 'array' // in an array of links, between two
  | 'url' // after the quote that opens a link
  | 'element' // further on in a link of an array

const EMPTY = Buffer.alloc(0)
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const AT = 0x40
const OPENING = 0x5b
const BACKSLASH = 0x5c

const NAMES: ReadonlySet<string> = new Set(['odata.id', 'odata.bind', 'id', 'bind'])
const LONGEST_NAME = 'odata.bind'.length
const INITIALS = Buffer.from('oib')

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}
