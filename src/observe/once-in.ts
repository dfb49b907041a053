/**
 * Creates a function that returns true at most once in `milliseconds`
 * for each key. Keys may be chosen by others, so only a limited number is remembered.
 */
export function onceIn(milliseconds: number): (key: string) => boolean {
  const told = new Map<string, number>()
  return (key) => {
    const now = performance.now()
    if (now - (told.get(key) ?? -Infinity) < milliseconds) return false
    if (told.size >= MAX_KEYS) told.clear()
    told.set(key, now)
    return true
  }
}

const MAX_KEYS = 100
