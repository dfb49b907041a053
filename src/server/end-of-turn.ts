/** What waits for the end of the event loop's turn. */
export interface Deferred {
  /** Must not throw. */
  readonly run: () => void
}

let waiting: Deferred[] = []

/**
 * Runs `deferred` at the end of the current turn of the event loop, together with all others: after everything that has
 * arrived on connections was read, and before the process waits for more. Under load, responses that are written
 * together cost a quarter less CPU (docs/decisions/write-together.md).
 */
export function atEndOfTurn(deferred: Deferred): void {
  if (waiting.push(deferred) === 1) setImmediate(runAll)
}

function runAll(): void {
  const all = waiting
  waiting = []
  for (const deferred of all) deferred.run()
}
