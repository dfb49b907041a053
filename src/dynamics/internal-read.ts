import type { Cancellation } from './cancellation.ts'
import type { OutboundRequest } from './send.ts'

/** What differs between the gateway's own reads. */
export interface InternalRead extends Pick<OutboundRequest, 'path' | 'fairnessKey' | 'tokens' | 'record'> {
  readonly cancellation: Cancellation
  /** Further headers, flat. */
  readonly headers?: readonly string[]
}

/** A read of the gateway itself, with no header of a caller. */
export function internalRead({ headers = [], ...read }: InternalRead): OutboundRequest {
  return {
    ...read,
    method: 'GET',
    headers: ['accept', 'application/json', 'odata-version', '4.0', 'odata-maxversion', '4.0', ...headers],
    body: undefined,
    bodyLength: undefined,
    repeatable: 'read',
    deadline: undefined,
    transform: undefined,
    timings: { token: 0, user: 0, wait: 0, dynamics: 0 },
  }
}
