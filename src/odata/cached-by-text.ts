/** The most texts per cache, and the characters of the longest one: callers choose them. */
export const MAX_CACHED_TEXTS = 1000
const MAX_CACHED_CHARACTERS = 100

/**
 * Caches what a pure function derives from a text, such as the name of a header. Nothing is evicted, because honest
 * callers send few different texts.
 */
export function cachedByText<Derived extends {}>(derive: (text: string) => Derived): (text: string) => Derived {
  const cache = new Map<string, Derived>()
  return (text) => {
    const cached = cache.get(text)
    if (cached !== undefined) return cached
    const derived = derive(text)
    if (cache.size < MAX_CACHED_TEXTS && text.length <= MAX_CACHED_CHARACTERS) cache.set(text, derived)
    return derived
  }
}
