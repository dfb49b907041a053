import { header } from '../send.ts'
import type { UpstreamResponse } from '../send.ts'

/** The service protection limit behind a 429. */
export type Limit = 'count' | 'time' | 'concurrency' | 'other'

const LIMITS = new Map<number, Limit>([
  [0x80072322, 'count'],
  [0x80072321, 'time'],
  [0x80072326, 'concurrency'],
])

/**
 * The limit, by the body of a 429. Its code is hexadecimal (`0x80072322`), or the same 32 bits as a signed decimal
 * number.
 *
 * @see https://learn.microsoft.com/power-apps/developer/data-platform/api-limits
 */
export function limitOf(body: string): Limit {
  const code = codeOf(body)
  return (code === undefined ? undefined : LIMITS.get(code)) ?? 'other'
}

/** The error's code as an unsigned 32-bit number; `undefined` without one. */
export function codeOf(body: string): number | undefined {
  try {
    const { error } = JSON.parse(body) as { error?: { code?: unknown } }
    const code = Number(error?.code)
    return Number.isInteger(code) && error?.code !== '' ? code >>> 0 : undefined
  } catch {
    return undefined
  }
}

/**
 * How long a refused request waits before it is retried.
 *
 * Dynamics extends the wait when a request comes too early, so its Retry-After is not shortened and not
 * rounded down. Zero still waits briefly, otherwise a service that always sends zero would get retries without end.
 *
 * @param retryAfterMs the Retry-After, in milliseconds; `undefined`: the wait doubles from one second
 * @param attempt how often the request has been sent, counting from 1
 */
export function retryDelay(retryAfterMs: number | undefined, attempt: number): number {
  const doublings = 2 ** Math.min(attempt - 1, 6)
  return retryAfterMs === undefined ? 1000 * doublings : Math.max(retryAfterMs, 50 * doublings)
}

/** The remaining limits reported by Dynamics. */
export interface Rates {
  readonly requests: number | undefined
  readonly seconds: number | undefined
  /** The suggested degree of parallelism. */
  readonly parallel: number | undefined
}

/** Reads the rate headers of a response; `undefined` without them. */
export function ratesOf(response: Pick<UpstreamResponse, 'headers'>): Rates | undefined {
  const requests = amount(header(response, 'x-ms-ratelimit-burst-remaining-xrm-requests'))
  const seconds = amount(header(response, 'x-ms-ratelimit-time-remaining-xrm-requests'))
  const parallel = amount(header(response, 'x-ms-dop-hint'))
  return requests === undefined && seconds === undefined && parallel === undefined
    ? undefined
    : { requests, seconds, parallel }
}

/** `1,200.00` is 1200. */
function amount(text: string | undefined): number | undefined {
  if (text === undefined || !/^\s*\d[\d,]*(\.\d+)?\s*$/.test(text)) return undefined
  return Number(text.replaceAll(',', ''))
}
