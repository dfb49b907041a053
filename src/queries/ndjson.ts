import { cachedByText } from '../odata/cached-by-text.ts'
import { encodedText } from '../odata/encoded-text.ts'

/** The media type for one JSON value per line. */
export const NDJSON = 'application/x-ndjson'

/**
 * The `Accept` header that is sent to Dynamics when a caller wants all rows as {@link NDJSON}: JSON, with the same
 * parameters.
 *
 * @param accept the caller's header; several lines are joined by commas
 * @returns `undefined` if the caller does not accept NDJSON, or prefers another type
 */
export function acceptOfRows(accept: string | undefined): string | undefined {
  if (accept === undefined || !mentionsNdjson(accept)) return undefined
  const types = accept.split(',').map(mediaRange)
  const wanted = types.find(({ type }) => type === NDJSON)
  if (wanted === undefined || wanted.quality === 0) return undefined
  if (types.some(({ quality }) => quality > wanted.quality)) return undefined
  return ['application/json', ...wanted.parameters].join(';')
}

const mentionsNdjson = cachedByText((accept) => /ndjson/i.test(accept))

interface MediaRange {
  readonly type: string
  readonly parameters: readonly string[]
  readonly quality: number
}

function mediaRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim())
  const quality = parameters.find((one) => /^q\s*=/i.test(one))?.replace(/^q\s*=\s*/i, '')
  return {
    type: type.toLowerCase(),
    parameters: parameters.filter((one) => one !== '' && !/^q\s*=/i.test(one)),
    quality: quality === undefined ? 1 : Number(quality) || 0,
  }
}

/** The most rows that a query asks for, by `$top`. */
export function topOf(query: string): number {
  const tops = query.replace(/^\?/, '').split('&').map(topIn)
  return tops.find((top) => top !== undefined) ?? Infinity
}

/** `path` with its query, which asks for `rows` at most. */
export function withTop(path: string, rows: number): string {
  const queryStart = path.indexOf('?')
  if (queryStart === -1) return `${path}?$top=${rows}`
  const options = path.slice(queryStart + 1).split('&')
  const index = options.findIndex((option) => topIn(option) !== undefined)
  if (index === -1) return `${path}&$top=${rows}`
  options[index] = options[index]!.replace(/=.*/, `=${rows}`)
  return `${path.slice(0, queryStart + 1)}${options.join('&')}`
}

/**
 * The number in the query option `$top`, percent-encoded or not; `undefined` for other options, and for a value that is
 * no number of rows: Dynamics refuses it.
 */
function topIn(option: string): number | undefined {
  const [name = '', value = ''] = option.split('=', 2).map((part) => encodedText(part).text)
  // A plus is a sign, or a space of a form.
  return name.toLowerCase() === '$top' && TOP.test(value) ? Number(value.replaceAll('+', ' ')) : undefined
}

const TOP = /^[\s+]*\d+[\s+]*$/
