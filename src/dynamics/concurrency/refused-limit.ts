/** The number of requests at once that Dynamics itself refused (0x80072326). */
export interface RefusedLimit {
  /** The most that were not refused lately; Infinity where none were. */
  readonly highest: () => number
  /** One of `running` requests was refused. */
  readonly refused: (running: number) => void
}

/** Refusals within this time belong to one burst. */
const SAME_BURST_MS = 1000
/** After this time a number that Dynamics refused may be tried again. */
const TRY_AGAIN_MS = 15_000

/** @param clock milliseconds, rising */
export function createRefusedLimit(clock: () => number): RefusedLimit {
  let burst = { at: -Infinity, running: 0, refused: 0 }
  let highestAccepted = Infinity
  let refusedAt = -Infinity
  return {
    highest: () => (highestAccepted < Infinity && clock() - refusedAt < TRY_AGAIN_MS ? highestAccepted : Infinity),
    refused(running) {
      refusedAt = clock()
      if (refusedAt - burst.at > SAME_BURST_MS) burst = { at: refusedAt, running, refused: 0 }
      burst.refused++
      // The requests of the burst that were not refused were not too many.
      highestAccepted = Math.max(1, burst.running - burst.refused)
    },
  }
}
