/**
 * Ends one request early, wherever it waits. Exactly one holder is notified: the part of the code that is responsible
 * for the request now. The next holder calls {@link Cancellation.hold}, which replaces the previous one.
 *
 * Not an `AbortSignal`: creating one, adding a listener and removing it takes 4 µs on Node 20 and 0.25 µs on Node 26,
 * and this takes 0.03 µs. A request of the gateway takes about 50 µs. An `AbortSignal` also keeps every listener that
 * is not removed.
 */
export class Cancellation {
  /** Why the request ended early; `undefined` while it has not. */
  reason: Error | undefined = undefined
  #holder: CancellationHolder | undefined = undefined

  /** Ends the request. Only the first reason is kept. */
  cancel(reason: Error): void {
    if (this.reason !== undefined) return
    this.reason = reason
    const holder = this.#holder
    this.#holder = undefined
    holder?.onCancelled(reason)
  }

  /**
   * Takes over the request: `holder` replaces the previous one. It is notified once, when the request ends early, and
   * at once if it already has.
   */
  hold(holder: CancellationHolder): void {
    if (this.reason === undefined) this.#holder = holder
    else holder.onCancelled(this.reason)
  }

  /** `holder` is not notified any longer. Without effect if another holder has taken over. */
  release(holder: CancellationHolder): void {
    if (this.#holder === holder) this.#holder = undefined
  }

  /**
   * Waits for an event. Throws the reason when the request ends first.
   *
   * @param start starts the wait and gets the function that ends it; returns the undo function for a cancelled request
   */
  wait<T>(start: (done: (value: T) => void, fail: (reason: unknown) => void) => (() => void) | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.reason !== undefined) return reject(this.reason)
      let undo: (() => void) | undefined = undefined
      const holder: CancellationHolder = {
        onCancelled(reason) {
          undo?.()
          reject(reason)
        },
      }
      this.hold(holder)
      undo = start(
        (value) => {
          this.release(holder)
          resolve(value)
        },
        (reason) => {
          this.release(holder)
          reject(reason)
        },
      )
    })
  }
}

/**
 * Is responsible for a request now. An object and not a function: the code that sends a request has an object for it
 * anyway, and a function would be one more.
 */
export interface CancellationHolder {
  /** The request ended early. */
  readonly onCancelled: (reason: Error) => void
}

/** Waits for `pending`, which itself cannot be cancelled. */
export function unlessCancelled<T>(cancellation: Cancellation, pending: Promise<T>): Promise<T> {
  // Needed even without a waiter: an unhandled rejection ends the process.
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
