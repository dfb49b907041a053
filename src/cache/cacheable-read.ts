import type { IncomingHttpHeaders } from 'node:http'

import type { CacheableRead, CacheDirectives } from '../dynamics/send.ts'
import type { Preferences } from '../odata/preferences.ts'
import { cacheDirectives } from './cache-directives.ts'

/**
 * How a GET may be answered without a call of its own. `undefined` for requests that must be sent: conditional and
 * partial reads, and requests that run asynchronously.
 *
 * @param headers the headers of the caller
 * @param identity the identity that the request runs as; `undefined` if it is not certain
 */
export function cacheableReadOf(
  headers: IncomingHttpHeaders,
  { respondAsync }: Preferences,
  identity: string | undefined,
): CacheableRead | undefined {
  if (identity === undefined || respondAsync || isConditional(headers)) return undefined
  const cacheControl = headers['cache-control']
  const directives = cacheControl === undefined ? undefined : cacheDirectives(cacheControl)
  return { identity, mustBeSent: mustBeSent(headers, directives), directives }
}

function isConditional(headers: IncomingHttpHeaders): boolean {
  const ifNoneMatch = headers['if-none-match']
  return (
    headers['range'] !== undefined ||
    headers['if-match'] !== undefined ||
    headers['if-modified-since'] !== undefined ||
    headers['if-unmodified-since'] !== undefined ||
    (ifNoneMatch !== undefined && !isNullEtag(ifNoneMatch))
  )
}

/** Whether `If-None-Match` is `null`: clients of Dataverse send it so that browsers do not cache. */
export function isNullEtag(ifNoneMatch: string): boolean {
  return ifNoneMatch.trim().toLowerCase() === 'null'
}

/** Whether the caller demands a new response. `Consistency: Strong` asks Dataverse for the newest definitions. */
function mustBeSent(headers: IncomingHttpHeaders, directives: CacheDirectives | undefined): boolean {
  return (
    (directives !== undefined && (directives.noCache || directives.noStore || directives.maxAgeMs === 0)) ||
    headers['pragma']?.toLowerCase().includes('no-cache') === true ||
    headers['consistency'] !== undefined
  )
}
