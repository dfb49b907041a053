/**
 * How long bodies are processed in one turn of the event loop, in milliseconds. Other work waits
 * at most this long, and for one more chunk of a body.
 */
const SHARE = 5

/** When the first body of this turn started; `undefined` without one. */
let began: number | undefined
/** Bodies that wait for a turn, in order of arrival. */
const waiting: (() => void)[] = []
let scheduled = false

/** Whether the share of this turn is used up, so that the next chunk must wait for another turn. */
export function isTurnOver(): boolean {
  const now = performance.now()
  if (began !== undefined) return now - began > SHARE
  began = now
  schedule()
  return false
}

/** Waits for a turn of the event loop. Each turn serves one body, because several would take several shares. */
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
