import type { CacheDirectives } from '../dynamics/send.ts'
import { cachedByText } from '../odata/cached-by-text.ts'

/**
 * Reads `Cache-Control`. Of a directive that occurs twice, the stricter one counts. An age that is not a number allows
 * nothing from memory. `max-stale` is ignored: RFC 9111 does not require a stale response.
 */
export const cacheDirectives = cachedByText((cacheControl): CacheDirectives => {
  const found = { noCache: false, noStore: false, onlyIfCached: false, maxAgeMs: Infinity, minFreshMs: 0 }
  for (const directive of cacheControl.split(',')) {
    const equals = directive.indexOf('=')
    const name = (equals === -1 ? directive : directive.slice(0, equals)).trim().toLowerCase()
    const seconds = equals === -1 ? '' : directive.slice(equals + 1)
    if (name === 'no-cache') found.noCache = true
    else if (name === 'no-store') found.noStore = true
    else if (name === 'only-if-cached') found.onlyIfCached = true
    else if (name === 'max-age') found.maxAgeMs = Math.min(found.maxAgeMs, millisecondsOf(seconds) ?? 0)
    else if (name === 'min-fresh') found.minFreshMs = Math.max(found.minFreshMs, millisecondsOf(seconds) ?? Infinity)
  }
  return found
})

function millisecondsOf(text: string): number | undefined {
  const [, seconds] = /^"?(\d+)"?$/.exec(text.trim()) ?? []
  return seconds === undefined ? undefined : Number(seconds) * 1000
}

/**
 * Whether a response may be used.
 *
 * @param age in ms
 * @param freshFor in ms
 */
export function allows(directives: CacheDirectives | undefined, age: number, freshFor: number): boolean {
  return directives === undefined || (age <= directives.maxAgeMs && freshFor >= directives.minFreshMs)
}
