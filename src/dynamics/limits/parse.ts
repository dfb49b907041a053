import { header } from '../send.ts'
import type { Answer } from '../send.ts'

/** Which of Dynamics' service protection limits a 429 is about. */
export type Limit = 'count' | 'time' | 'concurrency' | 'other'

const LIMITS = new Map<number, Limit>([
  [0x80072322, 'count'],
  [0x80072321, 'time'],
  [0x80072326, 'concurrency'],
])

/**
 * Tells the limit from the body of a 429. Its code is hexadecimal (`0x80072322`), or the same 32 bits as a decimal
 * number with a sign.
 *
 * @see https://learn.microsoft.com/power-apps/developer/data-platform/api-limits
 */
export function limitOf(body: string): Limit {
  const code = codeOf(body)
  return (code === undefined ? undefined : LIMITS.get(code)) ?? 'other'
}

/** The error's code as 32 bits without a sign; `undefined` where the body has none. */
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
 * How long a refused request waits before it is sent again.
 *
 * Dynamics makes the wait longer when it is asked again before, so what it says is not cut short, and not
 * rounded down: zero still waits a moment, or a service that always says zero would be asked without end.
 *
 * @param asked by Retry-After; `undefined`: the wait doubles from one second
 * @param attempt how often the request was sent so far, counting from 1
 */
export function retryDelay(asked: number | undefined, attempt: number): number {
  const doublings = 2 ** Math.min(attempt - 1, 6)
  return asked === undefined ? 1000 * doublings : Math.max(asked, 50 * doublings)
}

/** What Dynamics says is left of its limits. */
export interface Rates {
  readonly requests: number | undefined
  readonly seconds: number | undefined
  /** How many requests at once it suggests. */
  readonly parallel: number | undefined
}

/** Reads the rate headers of an answer; `undefined` where it has none. */
export function ratesOf(answer: Answer): Rates | undefined {
  const requests = amount(header(answer, 'x-ms-ratelimit-burst-remaining-xrm-requests'))
  const seconds = amount(header(answer, 'x-ms-ratelimit-time-remaining-xrm-requests'))
  const parallel = amount(header(answer, 'x-ms-dop-hint'))
  return requests === undefined && seconds === undefined && parallel === undefined
    ? undefined
    : { requests, seconds, parallel }
}

/** `1,200.00` is twelve hundred. */
function amount(text: string | undefined): number | undefined {
  if (text === undefined || !/^\s*\d[\d,]*(\.\d+)?\s*$/.test(text)) return undefined
  return Number(text.replaceAll(',', ''))
}
