import type { DestinationStream } from 'pino'

import { lineDestination } from './line-destination.ts'

/** Calls `writeOut` when the process exits, also after a crash: the last lines say why. */
export type AtExit = (writeOut: () => void) => void

/**
 * How long a line waits for others, in milliseconds, so that a busy gateway writes many at once. A write wakes another
 * thread, which takes as long as several requests.
 */
const FLUSH_MS = 50

/** Limit of lines in one write: more would allocate new memory each time. */
const FLUSH_LINES = 100

/** How long a crashing process waits for a write in progress, in milliseconds. */
const EXIT_WAIT_MS = 100

/** A destination that writes many lines at once. */
export interface BatchedDestination extends DestinationStream {
  /**
   * Writes the line that `format` makes of `value`, when the batch is written: many in a row take a fraction of the time.
   */
  readonly writeLater: <T>(format: (value: T) => string, value: T) => void
  readonly flush: (done?: (error?: Error) => void) => void
}

/** Batched standard output, in order. An exit or a crash loses nothing, a SIGKILL the waiting lines. */
export function batchedStdout(atExit: AtExit): BatchedDestination {
  let due: NodeJS.Timeout | undefined
  let values: unknown[] = []
  /** What makes the lines of the values with the same index. */
  let formats: ((value: never) => string)[] = []
  let onTheWay = false
  // Before pino, which also writes at exit, and does not wait.
  atExit(() => {
    // The write in progress on another thread comes first.
    if (onTheWay) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EXIT_WAIT_MS)
    writeOut()
    out.flushSync()
  })
  const out = lineDestination({ dest: 1, sync: false, minLength: 15 * 1024 }, () => undefined)
  out.on('drain', () => {
    onTheWay = false
  })
  return {
    write: (line) => writeLater(String, line),
    writeLater,
    flush: (done) => {
      writeOut()
      out.flush(done)
    },
  }

  function writeLater<T>(format: (value: T) => string, value: T): void {
    values.push(value)
    formats.push(format)
    if (values.length === FLUSH_LINES) return writeOut()
    due ??= setTimeout(() => {
      due = undefined
      writeOut()
    }, FLUSH_MS)
  }

  /** Joined to one string: single lines would each be scanned and copied three times. */
  function writeOut(): void {
    if (values.length === 0) return
    out.write(values.map((value, index) => formats[index]!(value as never)).join(''))
    values = []
    formats = []
    onTheWay = true
    out.flush()
  }
}
