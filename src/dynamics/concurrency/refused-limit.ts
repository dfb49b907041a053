/** The number of concurrent requests that Dynamics refused (0x80072326). */
export interface RefusedLimit {
  /** The highest number that Dynamics accepted at the last refusals; Infinity without a recent refusal. */
  readonly highest: () => number
  /** One of `running` requests was refused. */
  readonly refused: (running: number) => void
}

/** Refusals within this time belong to one burst. */
const SAME_BURST_MS = 1000
/** The time after which a refused number may be tried again. */
const TRY_AGAIN_MS = 15_000

/** @param clock monotonic, in milliseconds */
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
      // Dynamics accepted the requests of the burst that it did not refuse.
      highestAccepted = Math.max(1, burst.running - burst.refused)
    },
  }
}
