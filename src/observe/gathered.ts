import type { DestinationStream } from 'pino'
import { pino } from 'pino'

/** Has `writeOut` called when the process ends, also all of a sudden: the last lines say why. */
export type AtExit = (writeOut: () => void) => void

/**
 * How long a line waits for others, in milliseconds, so that a busy gateway writes many at once: a write wakes another
 * thread, which takes as long as several requests.
 */
const FLUSH_MS = 50

/** So many lines are written at once at most: more of them would take fresh memory each time. */
const FLUSH_LINES = 100

/** How long a process that ends all of a sudden waits for a write that is under way, in milliseconds. */
const OVERTAKEN = 100

/** Standard output for a busy log: few writes, in order; an exit or a crash loses nothing, a SIGKILL what waits. */
export function batchedStdout(atExit: AtExit): DestinationStream & { flush: (done?: (error?: Error) => void) => void } {
  let due: NodeJS.Timeout | undefined
  let lines: string[] = []
  let onTheWay = false
  // Ahead of pino, which writes at the exit as well, and does not wait.
  atExit(() => {
    // What another thread is about to write comes first.
    if (onTheWay) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OVERTAKEN)
    writeOut()
    out.flushSync()
  })
  const out = pino.destination({ dest: 1, sync: false, minLength: 15 * 1024 })
  out.on('drain', () => {
    onTheWay = false
  })
  return {
    write: (line) => {
      lines.push(line)
      if (lines.length === FLUSH_LINES) return writeOut()
      due ??= setTimeout(() => {
        due = undefined
        writeOut()
      }, FLUSH_MS)
    },
    flush: (done) => {
      writeOut()
      out.flush(done)
    },
  }

  /** As one text: that of each line would be looked through and copied three times. */
  function writeOut(): void {
    if (lines.length === 0) return
    out.write(lines.join(''))
    lines = []
    onTheWay = true
    out.flush()
  }
}
