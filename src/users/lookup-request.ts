import type { Cancellation } from '../dynamics/cancellation.ts'
import { internalRead } from '../dynamics/internal-read.ts'
import type { RequestRecord } from '../dynamics/request-record.ts'
import type { OutboundRequest } from '../dynamics/send.ts'

/**
 * A request of the gateway itself that reads users. It runs as the application user, without any header of a caller.
 *
 * @param extraHeaders more headers, flat
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
