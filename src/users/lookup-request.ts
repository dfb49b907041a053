import type { Cancellation } from '../dynamics/cancellation.ts'
import type { RequestRecord } from '../dynamics/request-record.ts'
import type { OutboundRequest } from '../dynamics/send.ts'

/**
 * A read of the gateway's own about users, as the application user and with no header of a caller.
 *
 * @param also further headers, flat
 */
export function lookupRequest(
  path: string,
  also: readonly string[],
  cancellation: Cancellation,
  record: RequestRecord,
): OutboundRequest {
  return {
    method: 'GET',
    path,
    headers: [
      'accept',
      'application/json',
      'odata-version',
      '4.0',
      'odata-maxversion',
      '4.0',
      'accept-encoding',
      'identity',
      ...also,
    ],
    body: undefined,
    bodyLength: undefined,
    repeatable: 'read',
    fairnessKey: 'lookups of users',
    deadline: undefined,
    transform: undefined,
    cancellation,
    timings: { token: 0, user: 0, wait: 0, dynamics: 0 },
    record,
  }
}
