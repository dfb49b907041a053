/** Runs `work` for a key, once at a time: whoever asks for the same key meanwhile gets what it brings. */
export type SharedFlights<T> = (key: string, work: () => Promise<T>) => Promise<T>

/** Makes them; what has ended is not remembered. */
export function sharedFlights<T>(): SharedFlights<T> {
  const flights = new Map<string, Promise<T>>()
  return (key, work) => {
    const running = flights.get(key)
    if (running !== undefined) return running
    const flight = work().finally(() => flights.delete(key))
    flights.set(key, flight)
    return flight
  }
}
