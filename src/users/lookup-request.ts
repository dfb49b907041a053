import type { Cancellation } from '../dynamics/cancellation.ts'
import { internalRead } from '../dynamics/internal-read.ts'
import type { RequestRecord } from '../dynamics/request-record.ts'
import type { OutboundRequest } from '../dynamics/send.ts'

/**
 * A read of the gateway's own about users, as the application user and with no header of a caller.
 *
 * @param extraHeaders further headers, flat
 */
export function lookupRequest(
  path: string,
  extraHeaders: readonly string[],
  cancellation: Cancellation,
  record: RequestRecord,
): OutboundRequest {
  return internalRead({
    path,
    headers: ['accept-encoding', 'identity', ...extraHeaders],
    fairnessKey: 'lookups of users',
    cancellation,
    record,
  })
}
