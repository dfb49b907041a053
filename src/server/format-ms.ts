/**
 * Milliseconds with one decimal, at least zero. Computed from integers, because finding the shortest text of a fraction
 * takes far longer.
 */
export function formatMs(milliseconds: number): string {
  const tenths = Math.round(milliseconds * 10)
  return SHORT_TIMES[tenths] ?? formatTenths(tenths)
}

function formatTenths(tenths: number): string {
  return `${Math.trunc(tenths / 10)}.${tenths % 10}`
}

/** The texts of less than 100 ms. */
const SHORT_TIMES: readonly string[] = Array.from({ length: 1000 }, (_, tenths) => formatTenths(tenths))
