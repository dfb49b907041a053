/** When Dynamics last refused each user: what was cached for the user before may no longer be theirs to read. */
export interface RefusedIdentities {
  readonly refused: (identity: string) => void
  /** The last refusal, on the clock of `now`; `-Infinity`: none. */
  readonly refusedAt: (identity: string) => number
}

/** The most users whose refusals are told apart. */
const MAX_IDENTITIES = 10_000

/** @param now `performance.now` */
export function createRefusedIdentities(now: () => number): RefusedIdentities {
  const times = new Map<string, number>()
  /** A refusal of all users. */
  let allAt = -Infinity
  return {
    refused(identity) {
      if (times.size >= MAX_IDENTITIES) {
        times.clear()
        allAt = now()
      }
      times.set(identity, now())
    },
    refusedAt: (identity) => Math.max(allAt, times.get(identity) ?? -Infinity),
  }
}
