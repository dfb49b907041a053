import type { OutboundRequest, UpstreamResponse } from '../dynamics/send.ts'
import type { CacheSlot } from './cache-slot.ts'
import { requestWith } from './request-with.ts'
import { confirmedResponse } from './stored-response.ts'
import type { StoredResponse } from './stored-response.ts'

/** How long a row is cached, in ms, even if Dynamics answers 304: its ETag does not change with column permissions. */
const MAX_ROW_AGE_MS = 10 * 60_000

/**
 * Asks Dynamics whether the row in memory is still current, and answers with that row if it is.
 *
 * @param fetchAndStore sends the request, and stores the response
 * @param age of `stored`, in ms
 */
export async function revalidateRow(
  request: OutboundRequest,
  slot: CacheSlot,
  stored: StoredResponse,
  age: number,
  fetchAndStore: (request: OutboundRequest, slot: CacheSlot) => Promise<UpstreamResponse>,
): Promise<UpstreamResponse> {
  const { record } = request
  if (age > MAX_ROW_AGE_MS) {
    record.cacheStatus = 'fwd=uri-miss'
    return fetchAndStore(request, slot)
  }
  const response = await fetchAndStore(requestWith(request, 'if-none-match', stored.etag!), slot)
  const isShared = record.source === 'shared'
  record.cacheStatus = `fwd=stale; fwd-status=${response.status}${isShared ? '; collapsed' : ''}`
  if (response.status !== 304) return response
  const confirmed = confirmedResponse(stored, response)
  response.body.dump()
  if (!isShared) record.source = 'memory'
  return confirmed
}
