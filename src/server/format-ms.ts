/**
 * Milliseconds with one decimal, at least zero. Computed from integers, because finding the shortest text of a fraction
 * takes far longer.
 */
export function formatMs(milliseconds: number): string {
  const tenths = Math.round(milliseconds * 10)
  return `${Math.trunc(tenths / 10)}.${tenths % 10}`
}
