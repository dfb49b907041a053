import { cachedByText } from '../odata/cached-by-text.ts'

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
