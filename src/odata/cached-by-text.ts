import { internalized } from './internalized.ts'

/** The longest text in a cache, in characters, and the most texts of one length: callers choose them. */
export const MAX_CACHED_CHARACTERS = 100
export const MAX_OF_ONE_LENGTH = 16

/**
 * Caches what a pure function derives from a text, such as the name of a header. Honest callers send few different
 * texts. Comparing one with those of the same length takes half of the time of a `Map`, which must hash it first.
 */
export function cachedByText<Derived extends {}>(derive: (text: string) => Derived): (text: string) => Derived {
  const byLength = Array.from({ length: MAX_CACHED_CHARACTERS + 1 }, (): { text: string; derived: Derived }[] => [])
  let oldest = 0
  return (text) => {
    const cached = byLength[text.length]
    if (cached === undefined) return derive(text)
    for (const entry of cached) if (entry.text === text) return entry.derived
    // A part of a longer text would keep all of that in memory.
    const own = internalized(text)
    const derived = derive(own)
    // When all places are taken, one of them is taken over, so that nobody can fill them for good.
    const place = cached.length < MAX_OF_ONE_LENGTH ? cached.length : oldest++ % MAX_OF_ONE_LENGTH
    cached[place] = { text: own, derived }
    return derived
  }
}
