import { MAX_TEXTS_OF_ONE_LENGTH } from './cached-by-text.ts'
import { textOf } from './text-transform.ts'

/** The longest text in a cache, in bytes. */
export const MAX_CACHED_BYTES = 64

/**
 * Like `cachedByText`, for texts that arrive as Latin-1 bytes, such as the names of headers in a response.
 * Comparing a few bytes takes a fraction of the time for a new string. Nothing is evicted, because a service uses few
 * different names.
 */
export function cachedByBytes<Derived>(derive: (text: string) => Derived): (bytes: Buffer) => Derived {
  const byLength = Array.from({ length: MAX_CACHED_BYTES + 1 }, (): { text: string; derived: Derived }[] => [])
  return (bytes) => {
    const cached = byLength[bytes.length] ?? []
    for (const { text, derived } of cached) if (isText(bytes, text)) return derived
    const text = textOf(bytes)
    const derived = derive(text)
    if (text.length <= MAX_CACHED_BYTES && cached.length < MAX_TEXTS_OF_ONE_LENGTH) cached.push({ text, derived })
    return derived
  }
}

/** `bytes` as Latin-1 text. No string is created if that text is `expected`. */
export function textOfExpected(bytes: Buffer, expected: string): string {
  return isText(bytes, expected) ? expected : textOf(bytes)
}

/** Compares from the end, because the names of headers often have the same prefix. */
function isText(bytes: Buffer, text: string): boolean {
  if (bytes.length !== text.length) return false
  for (let at = text.length - 1; at >= 0; at--) if (bytes[at] !== text.charCodeAt(at)) return false
  return true
}
