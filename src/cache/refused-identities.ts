/** When Dynamics last refused rows to each user: what was cached before may no longer be theirs to read. */
export interface RefusedIdentities {
  /** @param entitySet the entity set whose rows were refused; `undefined`: the rows of any may be */
  readonly refused: (identity: string, entitySet: string | undefined) => void
  /**
   * The last refusal of rows of `entitySet` (`undefined`: of any entity set), on the clock of `now`; `-Infinity`: none.
   */
  readonly refusedAt: (identity: string, entitySet: string | undefined) => number
}

/** The most refusals that are told apart. */
const MAX_REFUSALS = 10_000

/** @param now `performance.now` */
export function createRefusedIdentities(now: () => number): RefusedIdentities {
  /** By identity: the last refusal. */
  const last = new Map<string, number>()
  /** By identity and entity set. */
  const ofEntitySet = new Map<string, number>()
  /** By identity: the last refusal of all rows. */
  const ofAllRows = new Map<string, number>()
  /** The last refusal of all users. */
  let ofAllUsers = -Infinity

  return {
    refused(identity, entitySet) {
      note(last, identity)
      if (entitySet === undefined) note(ofAllRows, identity)
      else note(ofEntitySet, keyOf(identity, entitySet))
    },
    refusedAt(identity, entitySet) {
      const lastOfUser = last.get(identity)
      // Dynamics has refused nothing to most users: they need no key.
      if (lastOfUser === undefined) return ofAllUsers
      if (entitySet === undefined) return Math.max(ofAllUsers, lastOfUser)
      return Math.max(ofAllUsers, timeIn(ofAllRows, identity), timeIn(ofEntitySet, keyOf(identity, entitySet)))
    },
  }

  function note(times: Map<string, number>, key: string): void {
    if (times.size >= MAX_REFUSALS) {
      times.clear()
      ofAllUsers = now()
    }
    times.set(key, now())
  }
}

function timeIn(times: ReadonlyMap<string, number>, key: string): number {
  return times.get(key) ?? -Infinity
}

function keyOf(identity: string, entitySet: string): string {
  return `${entitySet}\0${identity}`
}
