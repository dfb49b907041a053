import { headersWithout } from './flat-headers.ts'

/**
 * Hop-by-hop headers, which concern one connection only.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
 */
export const HOP_BY_HOP: readonly string[] = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]

/** The further hop-by-hop headers that a `Connection` header names, in lower case, added to those found `before`. */
export function nominatedBy(value: string, before: Set<string> | undefined): Set<string> | undefined {
  const lower = value.toLowerCase()
  if (lower === 'keep-alive' || lower === 'close') return before
  const names = before ?? new Set()
  for (const name of lower.split(',')) names.add(name.trim())
  return names
}

/** `headers`, flat, without the `nominated` hop-by-hop ones (names in lower case). */
export function withoutNominated(headers: readonly string[], nominated: ReadonlySet<string>): string[] {
  return headersWithout(headers, (name) => nominated.has(name))
}
