import type { Sink } from './send.ts'

/** `sink`, which fails in place of throwing, and hears nothing more after it failed. */
export function guarded(sink: Sink): Sink {
  let isOver = false
  function attempt<T>(action: () => T, otherwise: T): T {
    if (isOver) return otherwise
    try {
      return action()
    } catch (error) {
      fail(error as Error)
      return otherwise
    }
  }
  function fail(reason: Error): void {
    if (isOver) return
    isOver = true
    sink.fail(reason)
  }
  return {
    get resume() {
      return sink.resume
    },
    set resume(resume) {
      sink.resume = resume
    },
    write: (chunk) => attempt(() => sink.write(chunk), true),
    end: () => attempt(() => sink.end(), undefined),
    fail,
  }
}
