import { internalized } from './internalized.ts'

/** The longest text in a cache, in characters. There are limits because callers choose the texts. */
export const MAX_CACHED_CHARACTERS = 100
/** The most texts of one length in a cache. */
export const MAX_TEXTS_OF_ONE_LENGTH = 16

/**
 * Caches what a pure function derives from a text, such as the name of a header. Honest callers send few different
 * texts. Comparing one with those of the same length takes half as long as a `Map`, which must hash it first.
 */
export function cachedByText<Derived>(derive: (text: string) => Derived): (text: string) => Derived {
  const byLength = Array.from({ length: MAX_CACHED_CHARACTERS + 1 }, (): { text: string; derived: Derived }[] => [])
  let evictions = 0
  return (text) => {
    const cached = byLength[text.length]
    if (cached === undefined) return derive(text)
    for (const entry of cached) if (entry.text === text) return entry.derived
    // A part of a longer text would keep that text in memory.
    const own = internalized(text)
    const derived = derive(own)
    // A full cache evicts in turn, so that nobody can fill it for good.
    const place = cached.length < MAX_TEXTS_OF_ONE_LENGTH ? cached.length : evictions++ % MAX_TEXTS_OF_ONE_LENGTH
    cached[place] = { text: own, derived }
    return derived
  }
}
