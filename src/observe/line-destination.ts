import { pino } from 'pino'

/** Bytes of lines that wait to be written. Further lines are lost. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024

/** pino's destination of lines. */
export type LineDestination = ReturnType<typeof pino.destination>

interface Options {
  /** A file descriptor, or the path of a file. */
  readonly dest: number | string
  readonly sync: boolean
  readonly append?: boolean
  readonly mode?: number
  /** Bytes that wait for one write. */
  readonly minLength?: number
}

/**
 * A destination that outlives a full disk: its lines wait until they can be written, and the process goes on.
 *
 * @param failed is called when lines cannot be written
 */
export function lineDestination(options: Options, failed: (error: Error) => void): LineDestination {
  const destination = pino.destination({ ...options, maxLength: MAX_WAITING_BYTES })
  const { flushSync } = destination
  destination.on('error', (error: Error) => {
    // It would try forever, and keep the process from its end.
    destination.flushSync = () => undefined
    failed(error)
  })
  destination.on('write', () => {
    destination.flushSync = flushSync
  })
  return destination
}
