import { BadQuery, QueryTypeUnsupported } from '../errors.ts'
import { isEncoded, mediaType } from '../odata/content-type.ts'

/** The media types that a query in a body may have, for the header `Accept-Query` (RFC 10008, section 3). */
export const ACCEPT_QUERY = 'application/x-www-form-urlencoded, text/plain'

/** The headers that describe a query in a body. */
interface QueryHead {
  readonly contentType: string | undefined
  readonly contentEncoding: string | undefined
}

/**
 * Checks the media type of a query in a body, before the body is read.
 *
 * @throws QueryTypeUnsupported
 */
export function requireQueryType({ contentType, contentEncoding }: QueryHead): void {
  const type = mediaType(contentType)
  if ((type !== FORM && type !== 'text/plain') || isEncoded(contentEncoding)) throw new QueryTypeUnsupported()
}

/**
 * The query options in a body, as they are in a URL: percent-encoded, without a question mark.
 *
 * @param body in Latin-1; line ends at its end are ignored, because files have one
 * @throws BadQuery
 */
export function queryIn(body: string, contentType: string | undefined): string {
  let end = body.length
  // A regular expression would search the end from each line break: that takes seconds for a body of line breaks.
  while (body[end - 1] === '\n' || body[end - 1] === '\r') end--
  const text = body.slice(0, end).replace(/^\?/, '')
  const invalid = /[^\x21-\x7e]|#/.exec(text)
  if (invalid !== null) {
    throw new BadQuery(`character ${invalid.index + 1} must be percent-encoded, as in a URL`)
  }
  if (/%(?![\da-f]{2})/i.test(text)) throw new BadQuery('a % must be followed by two hexadecimal digits; write %25')
  const options = text.split('&').filter((option) => option !== '')
  if (!options.every((option) => OPTION.test(option))) {
    throw new BadQuery('write query options as in a URL, such as $select=name&$top=3')
  }
  // In a form a plus is a space. In a URL not every server reads it as one.
  return mediaType(contentType) === FORM ? text.replaceAll('+', '%20') : text
}

const FORM = 'application/x-www-form-urlencoded'

/** A name, which may be percent-encoded, and a value. */
const OPTION = /^[\w$@.~%-]+=/
