const DAY = 24 * 3_600_000

/** Days before its end at which a certificate is warned of. */
const WARNINGS = [1, 7, 30] as const

/** Which warning is due `left` milliseconds before a certificate ends: that of 1, 7 or 30 days; `undefined`: none. */
export function dueWarning(left: number): number | undefined {
  return WARNINGS.find((days) => left <= days * DAY)
}
