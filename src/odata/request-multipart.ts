import { MalformedBatch, RefusedPart } from './batch-error.ts'
import { type BatchOptions, contentId, partAuthorizer } from './batch-operation.ts'
import { batchBoundary, isEncoded, isJson, mediaType, requireUtf8 } from './content-type.ts'
import { type Field, trimBlanks, valueOf } from './header-fields.ts'
import { multipart, type RewrittenMessage, type RewrittenPart } from './multipart.ts'
import { requestLinks } from './request-links.ts'
import type { TextTransform } from './text-transform.ts'
import type { UrlMap } from './url-map.ts'

/** Turns a multipart `$batch` of a caller into one for the target, as `batchInward` describes. */
export function requestMultipart(map: UrlMap, contentType: string, options: BatchOptions): TextTransform {
  const authorizer = partAuthorizer(map, options)
  let changeSets = 0
  let changeSet = 0

  function part(fields: readonly Field[], inChangeSet: boolean): RewrittenPart {
    const type = valueOf(fields, 'content-type') ?? ''
    const forwarded = authorizer.headers(fields).filter(({ name }) => name.toLowerCase() !== 'host')
    changeSet = inChangeSet ? changeSets : 0
    requireUtf8(type)
    if (mediaType(type) === 'application/http') return { fields: forwarded, content: 'message' }
    const subject = authorizer.subject()
    if (mediaType(type) !== 'multipart/mixed')
      throw new RefusedPart(`${subject} is neither a request nor a change set.`)
    if (inChangeSet) throw new RefusedPart(`${subject} is a change set within a change set.`)
    if (++changeSets > MOST_CHANGE_SETS) throw new RefusedPart('The batch holds more than 1,000 change sets.')
    return { fields: forwarded, content: { boundary: batchBoundary(type) } }
  }

  function message(startLine: string, fields: readonly Field[], around: readonly Field[]): RewrittenMessage {
    const { method, url, version } = requestLine(startLine)
    const subject = authorizer.subject()
    if (!/^HTTP\/\d\.\d$/.test(version)) {
      throw new MalformedBatch(`${subject} does not begin with a method, a URL and HTTP/1.1.`)
    }
    const id = contentId(around, fields)
    const rewritten = authorizer.operation({ method, url, around, headers: fields, id, group: changeSet })
    const line = `${method} ${rewritten.url} ${version}`
    return { startLine: line, fields: rewritten.headers, body: body(method, fields, subject) }
  }

  function body(method: string, fields: readonly Field[], subject: string): TextTransform | undefined {
    if (/^(?:GET|HEAD|DELETE)$/i.test(method)) return noBody(subject)
    const type = valueOf(fields, 'content-type')
    return (type === undefined || isJson(type)) && !isEncoded(valueOf(fields, 'content-encoding'))
      ? requestLinks(map)
      : undefined
  }

  const boundary = batchBoundary(contentType)
  const transform = multipart({ boundary, falseDelimiters: 'refused', afterChangeSet: '\r\n', part, message })
  return {
    ...transform,
    end() {
      const rest = transform.end()
      options.onEnd?.()
      return rest
    },
  }
}

/** The URL is the text between the first blank and the last, because some callers do not encode blanks in it. */
function requestLine(line: string): { readonly method: string; readonly url: string; readonly version: string } {
  const text = trimBlanks(line)
  const first = text.indexOf(' ')
  const last = text.lastIndexOf(' ')
  return {
    method: text.slice(0, Math.max(first, 0)),
    url: trimBlanks(text.slice(first, last)),
    version: text.slice(last + 1),
  }
}

/**
 * Requests without a body are often followed by blank lines. Any other text could be treated as
 * another request by a service that continues to read after the head.
 */
function noBody(subject: string): TextTransform {
  return {
    push(text) {
      if (BLANK.test(text)) return ''
      throw new RefusedPart(`${subject} has a body that its method does not take.`)
    },
    end: () => '',
  }
}

const MOST_CHANGE_SETS = 1000

const BLANK = /^[\r\n\t ]*$/
