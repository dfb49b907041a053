/**
 * How long bodies are read in one turn of the event loop, in milliseconds. Whoever else has something to do there waits
 * for so long at most, and for one more piece of a body.
 */
const SHARE = 5

/** When the first body of this turn was begun; `undefined` while there is none. */
let began: number | undefined
/** Who waits for a turn, in the order in which they came. */
const waiting: (() => void)[] = []
let scheduled = false

/** Whether this turn has been used up by the bodies that are read, so that the next piece has to wait for another. */
export function isTurnOver(): boolean {
  const now = performance.now()
  if (began !== undefined) return now - began > SHARE
  began = now
  schedule()
  return false
}

/** Waits for a turn of the event loop: one body gets each, for several together would take as long as one without. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve)
    schedule()
  })
}

function schedule(): void {
  if (scheduled) return
  scheduled = true
  setImmediate(() => {
    scheduled = false
    began = undefined
    const next = waiting.shift()
    if (next === undefined) return
    began = performance.now()
    schedule()
    next()
  })
}
