/** Longer waits are limited to a day. */
const MAX_RETRY_AFTER_MS = 86_400_000

/**
 * The wait in a Retry-After header, in milliseconds. The header has seconds, perhaps with a comma between thousands, or
 * a date; `undefined` if it is missing or cannot be read.
 *
 * @param now milliseconds since 1970, for dates
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export function retryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  const text = value.trim()
  if (/^\d[\d,]*(\.\d+)?$/.test(text)) return Math.min(Number(text.replaceAll(',', '')) * 1000, MAX_RETRY_AFTER_MS)
  const date = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.min(Math.max(date - now, 0), MAX_RETRY_AFTER_MS)
}
