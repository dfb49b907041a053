const DAY_MS = 24 * 3_600_000

/** Days before the end of a certificate at which a warning is logged. */
const WARNING_DAYS = [1, 7, 30] as const

/** The warning that is due `left` milliseconds before a certificate ends: 1, 7 or 30 days; `undefined`: none. */
export function dueWarning(left: number): number | undefined {
  return WARNING_DAYS.find((days) => left <= days * DAY_MS)
}
