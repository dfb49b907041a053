/** Runs `work` for a key once at a time. Further calls for the same key meanwhile share its result. */
export type SingleFlight<T> = (key: string, work: () => Promise<T>) => Promise<T>

/** Creates shared flights. Results are not cached. */
export function singleFlight<T>(): SingleFlight<T> {
  const flights = new Map<string, Promise<T>>()
  return (key, work) => {
    const running = flights.get(key)
    if (running !== undefined) return running
    const flight = work().finally(() => flights.delete(key))
    flights.set(key, flight)
    return flight
  }
}
