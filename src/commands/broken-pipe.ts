/** The exit status of a program that SIGPIPE ends: 128 and the signal's number. Node ignores the signal. */
const STATUS = 141

/** Ends the process quietly when the reader of its output has ended, as in `dynamics-gateway check | head`. */
export function endOnBrokenPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(STATUS)
  })
}
