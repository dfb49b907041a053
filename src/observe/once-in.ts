/**
 * Creates a function that returns true at most once in `milliseconds` for each key. Callers may choose the keys, so only
 * a limited number is remembered.
 */
export function onceIn(milliseconds: number): (key: string) => boolean {
  const lastTimes = new Map<string, number>()
  return (key) => {
    const now = performance.now()
    if (now - (lastTimes.get(key) ?? -Infinity) < milliseconds) return false
    if (lastTimes.size >= MAX_KEYS) lastTimes.clear()
    lastTimes.set(key, now)
    return true
  }
}

const MAX_KEYS = 100
