import type { Cancellation } from './send.ts'

/** The way out of one request, for whoever asks: `leave` ends it, wherever it waits. */
export function createCancellation(): Cancellation {
  let reason: Error | undefined
  return {
    get reason() {
      return reason
    },
    onCancel: undefined,
    cancel(why) {
      if (reason !== undefined) return
      reason = why
      const tell = this.onCancel
      this.onCancel = undefined
      tell?.(why)
    },
  }
}

/** What `arriving` brings, unless the request ends before: then the reason is thrown. For what cannot be cut short. */
export function unlessCancelled<T>(cancellation: Cancellation, arriving: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    if (cancellation.reason === undefined) cancellation.onCancel = reject
    else reject(cancellation.reason)
    // Also when nobody waits any more: a failure that nobody takes ends the process.
    arriving.then(
      (value) => {
        cancellation.onCancel = undefined
        resolve(value)
      },
      (error: Error) => {
        cancellation.onCancel = undefined
        reject(error)
      },
    )
  })
}

/** Waits `milliseconds`, unless the request ends before: then the reason is thrown. */
export function sleep(cancellation: Cancellation, milliseconds: number): Promise<void> {
  return new Promise((resolve, reject) => {
    if (cancellation.reason !== undefined) return reject(cancellation.reason)
    const timer = setTimeout(() => {
      cancellation.onCancel = undefined
      resolve()
    }, milliseconds)
    cancellation.onCancel = (reason) => {
      clearTimeout(timer)
      reject(reason)
    }
  })
}
