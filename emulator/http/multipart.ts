import { badPayload } from '../dataverse/errors.ts'

/** One part of a multipart body. */
export interface Part {
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>
  /** Empty when absent. */
  readonly contentType: string
  readonly body: Buffer
  /** The HTTP request in the part. */
  http(strict: boolean): Http
}

/** A request inside a part: its first line, headers by lower-case name, and body. */
export interface Http {
  readonly line: string
  readonly headers: Map<string, string>
  readonly body: Buffer
}

/**
 * The parts of a multipart body, read line by line as Dataverse does. `strict` requires CRLF at the end of every
 * line that frames a part, including the closing delimiter. Otherwise LF is accepted, and the end may be missing.
 */
export function readParts(body: Buffer, boundary: string, strict: boolean): Part[] {
  // Latin-1: one character is one byte, so positions in the text are positions in the body.
  const text = body.toString('latin1')
  const name = boundary.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const delimiter = new RegExp(`(^|\\r?\\n)--${name}(--)?[ \\t]*(\\r?\\n|$)`, 'g')
  const parts: Part[] = []
  let start: number | undefined
  for (;;) {
    const found = delimiter.exec(text)
    if (found === null) break
    const [whole, before = '', closing, after = ''] = found
    if (strict && (before === '\n' || after !== '\r\n')) throw notReadable()
    if (start !== undefined) parts.push(partOf(text.slice(start, found.index + before.length), strict))
    if (closing !== undefined) return parts
    start = found.index + whole.length
    // The line break that ends one delimiter may start the next.
    delimiter.lastIndex = start - after.length
  }
  if (strict || start === undefined) throw notReadable()
  parts.push(partOf(text.slice(start), strict))
  return parts
}

function partOf(text: string, strict: boolean): Part {
  const { headers, rest } = headOf(text, strict)
  return {
    headers,
    contentType: headers.get('content-type') ?? '',
    body: Buffer.from(rest, 'latin1'),
    http(strictly) {
      const end = rest.indexOf('\n')
      const line = end < 0 ? rest : rest.slice(0, end)
      if (strictly && !line.endsWith('\r')) throw notReadable()
      const inner = headOf(rest.slice(end < 0 ? rest.length : end + 1), strictly)
      // The line break before a delimiter belongs to the delimiter.
      const bytes = inner.rest.replace(/\r?\n$/, '')
      return { line: line.replace(/\r$/, ''), headers: inner.headers, body: Buffer.from(bytes, 'latin1') }
    },
  }
}

function headOf(text: string, strict: boolean): { readonly headers: Map<string, string>; readonly rest: string } {
  const headers = new Map<string, string>()
  let at = 0
  while (at < text.length) {
    const end = text.indexOf('\n', at)
    const line = text.slice(at, end < 0 ? text.length : end)
    if (strict && end >= 0 && !line.endsWith('\r')) throw notReadable()
    at = end < 0 ? text.length : end + 1
    const bare = line.replace(/\r$/, '')
    if (bare === '') return { headers, rest: text.slice(at) }
    const [, name, value] = /^([^\s:]+)\s*:\s*(.*)$/.exec(bare) ?? []
    if (name === undefined || value === undefined) {
      throw badPayload(
        `The message header '${bare}' is invalid. The header value must be of the format ` +
          "'<header name>: <header value>'.",
      )
    }
    // Headers of parts are UTF-8, unlike headers of HTTP.
    headers.set(name.toLowerCase(), Buffer.from(value.trimEnd(), 'latin1').toString('utf8'))
  }
  if (strict) throw badPayload('The headers of a part do not end with an empty line.')
  return { headers, rest: '' }
}

function notReadable(): Error {
  return badPayload('System.ArgumentException: Stream was not readable.')
}
