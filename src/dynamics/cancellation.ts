/**
 * Ends one request early, wherever it waits. Exactly one holder listens at a time: whoever has the request now. The next
 * holder calls {@link Cancellation.hold}, and the previous one hears nothing any more.
 *
 * Not an `AbortSignal`: creating one, adding a listener and removing it takes 4 µs on Node 20 and 0.25 µs on Node 26,
 * and this takes 0.03 µs. A request of the gateway takes about 50 µs. An `AbortSignal` also keeps every listener that
 * somebody forgets to remove.
 */
export class Cancellation {
  /** Why the request ended early; `undefined` while it has not. */
  reason: Error | undefined = undefined
  #listener: CancelListener | undefined = undefined

  /** Ends the request. The first reason counts. */
  cancel(reason: Error): void {
    if (this.reason !== undefined) return
    this.reason = reason
    const listener = this.#listener
    this.#listener = undefined
    listener?.(reason)
  }

  /**
   * Takes the request over: `listener` replaces that of the previous holder. It is called once, when the request ends
   * early, and at once if it already has.
   *
   * @returns stops listening; without effect once another holder has taken over
   */
  hold(listener: CancelListener): () => void {
    if (this.reason === undefined) this.#listener = listener
    else listener(this.reason)
    return () => {
      if (this.#listener === listener) this.#listener = undefined
    }
  }

  /**
   * Waits for something, unless the request ends first; then the reason is thrown.
   *
   * @param start begins the wait, with what ends it; returns what undoes it when the request is cancelled
   */
  wait<T>(start: (done: (value: T) => void, fail: (reason: unknown) => void) => (() => void) | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.reason !== undefined) return reject(this.reason)
      let undo: (() => void) | undefined = undefined
      const release = this.hold((reason) => {
        undo?.()
        reject(reason)
      })
      undo = start(
        (value) => {
          release()
          resolve(value)
        },
        (reason) => {
          release()
          reject(reason)
        },
      )
    })
  }
}

/** Called once, when the request ends early. */
export type CancelListener = (reason: Error) => void

/** Waits for `pending`, which itself cannot be cancelled. */
export function unlessCancelled<T>(cancellation: Cancellation, pending: Promise<T>): Promise<T> {
  // Also when nobody waits: a rejection that nobody handles ends the process.
  pending.catch(() => {})
  return cancellation.wait((done, fail) => {
    pending.then(done, fail)
    return undefined
  })
}

/** Waits `milliseconds`. */
export function sleep(cancellation: Cancellation, milliseconds: number): Promise<void> {
  return cancellation.wait((done) => {
    const timer = setTimeout(done, milliseconds)
    return () => clearTimeout(timer)
  })
}
