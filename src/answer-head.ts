import type { Coding } from './deliver.ts'
import type { Answer } from './dynamics/send.ts'
import { namesIn, REMEMBERED, without } from './headers.ts'
import { HOP_BY_HOP } from './odata/hop-by-hop.ts'
import { LINK_HEADERS } from './odata/link-names.ts'
import { outwardHeader, textOf } from './odata/links.ts'
import type { UrlMap } from './odata/links.ts'

/** What the head of an answer says, sorted by what is done with it. */
export interface AnswerHead {
  /** What the caller gets as it stands; links in it are turned already. Flat. */
  readonly headers: string[]
  readonly contentType: string
  readonly contentLength: string | undefined
  readonly contentEncoding: string | undefined
  /** The content coding, where it can be undone. */
  readonly coding: Coding | undefined
}

/**
 * Reads the head of `answer`, and turns its links to URLs of the gateway. `Connection` and what it names stay here, as
 * do cookies and challenges, which belong to the gateway's own session.
 */
export function answerHead(answer: Answer, map: UrlMap): AnswerHead {
  const raw = answer.headers
  let headers: string[] = []
  let nominated: ReadonlySet<string> | undefined
  let contentType = ''
  let contentLength: string | undefined
  let contentEncoding: string | undefined
  for (let index = 0; index < raw.length; index += 2) {
    const name = textOf(raw[index]!)
    const fate = fates.get(name) ?? learn(name)
    if (fate === 'drop') continue
    const value = textOf(raw[index + 1]!)
    switch (fate) {
      case 'pass': headers.push(name, value); break
      case 'link': headers.push(name, outwardHeader(map, value)); break
      case 'content-type': headers.push(name, contentType = value); break
      case 'content-length': contentLength = value; break
      case 'content-encoding':
        contentEncoding = contentEncoding === undefined ? value : `${contentEncoding}, ${value}`
        break
      case 'connection': nominated = namesIn(value, nominated); break
    }
  }
  if (nominated !== undefined) headers = without(headers, nominated)
  return { headers, contentType, contentLength, contentEncoding, coding: codingOf(contentEncoding) }
}

/** What happens to a header on its way to the caller. */
type Fate = 'pass' | 'drop' | 'link' | 'connection' | 'content-type' | 'content-length' | 'content-encoding'

/** Never handed to the caller: the session between gateway and Dynamics, and what is said of another host. */
const NOT_INWARD: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP, 'set-cookie', 'set-cookie2', 'strict-transport-security', 'alt-svc', 'www-authenticate',
  'timing-allow-origin', 'x-request-id', 'public-key-pins', 'clear-site-data', 'nel', 'report-to',
])

/** What happens to the names that were met in answers so far, as they were spelt. */
const fates = new Map<string, Fate>()

function learn(name: string): Fate {
  const fate = fateOf(name.toLowerCase())
  if (fates.size < REMEMBERED) fates.set(name, fate)
  return fate
}

function fateOf(lowerName: string): Fate {
  switch (lowerName) {
    case 'connection': case 'content-type': case 'content-length': case 'content-encoding': return lowerName
    default:
      if (LINK_HEADERS.has(lowerName)) return 'link'
      return NOT_INWARD.has(lowerName) || lowerName.startsWith('access-control-') ? 'drop' : 'pass'
  }
}

function codingOf(contentEncoding: string | undefined): Coding | undefined {
  if (contentEncoding === undefined) return undefined
  const coding = contentEncoding.trim().toLowerCase()
  return coding === 'x-gzip' ? 'gzip'
    : coding === 'gzip' || coding === 'deflate' || coding === 'br' ? coding
    : undefined
}
