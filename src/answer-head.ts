import type { Coding } from './deliver.ts'
import type { Answer } from './dynamics/send.ts'
import { headersInward } from './headers.ts'
import { outwardHeader } from './odata/links.ts'
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

/** Reads the head of `answer`, and turns its links to URLs of the gateway. */
export function answerHead(answer: Answer, map: UrlMap): AnswerHead {
  let contentType = ''
  let contentLength: string | undefined
  let contentEncoding: string | undefined
  const headers = headersInward(answer.headers, (name, value) => {
    switch (name) {
      case 'location':
      case 'odata-entityid':
      case 'content-location': return outwardHeader(map, value)
      case 'content-length': contentLength = value; return undefined
      case 'content-encoding':
        contentEncoding = contentEncoding === undefined ? value : `${contentEncoding}, ${value}`
        return undefined
      case 'content-type': contentType = value; return value
      default: return value
    }
  })
  return { headers, contentType, contentLength, contentEncoding, coding: codingOf(contentEncoding) }
}

function codingOf(contentEncoding: string | undefined): Coding | undefined {
  const coding = contentEncoding?.trim().toLowerCase()
  return coding === 'x-gzip' ? 'gzip'
    : coding === 'gzip' || coding === 'deflate' || coding === 'br' ? coding
    : undefined
}
