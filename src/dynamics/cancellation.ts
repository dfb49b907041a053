import type { Departure } from './send.ts'

/** The way out of one request, for whoever asks: `leave` ends it, wherever it waits. */
export function createDeparture(): Departure {
  let reason: Error | undefined
  return {
    get reason() {
      return reason
    },
    onLeave: undefined,
    leave(why) {
      if (reason !== undefined) return
      reason = why
      const tell = this.onLeave
      this.onLeave = undefined
      tell?.(why)
    },
  }
}

/** What `arriving` brings, unless the request ends before: then the reason is thrown. For what cannot be cut short. */
export function unlessLeft<T>(departure: Departure, arriving: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    if (departure.reason === undefined) departure.onLeave = reject
    else reject(departure.reason)
    // Also when nobody waits any more: a failure that nobody takes ends the process.
    arriving.then((value) => {
      departure.onLeave = undefined
      resolve(value)
    }, (error: Error) => {
      departure.onLeave = undefined
      reject(error)
    })
  })
}

/** Waits `milliseconds`, unless the request ends before: then the reason is thrown. */
export function pause(departure: Departure, milliseconds: number): Promise<void> {
  return new Promise((resolve, reject) => {
    if (departure.reason !== undefined) return reject(departure.reason)
    const timer = setTimeout(() => {
      departure.onLeave = undefined
      resolve()
    }, milliseconds)
    departure.onLeave = (reason) => {
      clearTimeout(timer)
      reject(reason)
    }
  })
}
