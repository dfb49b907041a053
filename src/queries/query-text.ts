import { BadQuery, QueryTypeUnsupported } from '../errors.ts'
import { isEncoded, mediaType } from '../odata/content-type.ts'

/** The media types that a query in a body may have, as the header `Accept-Query` has them (RFC 10008, section 3). */
export const ACCEPT_QUERY = 'application/x-www-form-urlencoded, text/plain'

/** What a request's head says of the query in its body. */
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
 * The query options in a body, in the form of an address: without a question mark, percent-encoded.
 *
 * @param body in Latin-1; a line end at its end does not count, as files have one
 * @throws BadQuery
 */
export function queryIn(body: string, contentType: string | undefined): string {
  let end = body.length
  // A regular expression would look from each line break for the end: seconds for a body of line breaks.
  while (body[end - 1] === '\n' || body[end - 1] === '\r') end--
  const text = body.slice(0, end).replace(/^\?/, '')
  const odd = /[^\x21-\x7e]|#/.exec(text)
  if (odd !== null) {
    throw new BadQuery(`character ${odd.index + 1} must be percent-encoded, as it would be in an address`)
  }
  if (/%(?![\da-f]{2})/i.test(text)) throw new BadQuery('a % must be followed by two hexadecimal digits; write %25')
  const options = text.split('&').filter((option) => option !== '')
  if (!options.every((option) => OPTION.test(option))) {
    throw new BadQuery('it holds options as in an address, such as $select=name&$top=3')
  }
  // In a form a plus is a blank. In an address not every server agrees.
  return mediaType(contentType) === FORM ? text.replaceAll('+', '%20') : text
}

const FORM = 'application/x-www-form-urlencoded'

/** A name, which may be percent-encoded, and a value. */
const OPTION = /^[\w$@.~%-]+=/
