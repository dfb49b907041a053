/** Runs `work` once at a time for each key. Concurrent calls with the same key share its result. */
export type SingleFlight<T> = (key: string, work: () => Promise<T>) => Promise<T>

/** Creates a single flight. Results are not cached. */
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
