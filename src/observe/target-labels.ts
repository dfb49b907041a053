/** Targets with series of their own. Each takes up to 55; with 500 for requests, the others have room for seven. */
const MAX_NAMED_TARGETS = 6

/** The label of all other targets together. */
const OTHER = 'other'

/** Returns the function from a target to its label: its name, or a shared one if there are many targets. */
export function targetLabels(): (target: string) => string {
  const named = new Set<string>()
  return (target) => {
    if (named.size < MAX_NAMED_TARGETS) named.add(target)
    return named.has(target) ? target : OTHER
  }
}

/** Which of several targets represents all. */
export type Fold = 'least' | 'most'

/** The values of several targets as one: the sum, unless one target represents all. Unknown values are ignored. */
export function folded(values: readonly (number | undefined)[], fold: Fold | undefined): number | undefined {
  const known = values.filter((value) => value !== undefined)
  if (known.length === 0) return undefined
  if (fold === undefined) return known.reduce((sum, value) => sum + value, 0)
  return fold === 'least' ? Math.min(...known) : Math.max(...known)
}
