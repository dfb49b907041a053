import { type PathSegment, rawSegments } from './path-segments.ts'

/**
 * Why a raw path must not be sent on, as the rest of a sentence that begins with "The path"; `undefined` when it may.
 *
 * A path that some server, proxy or library could read in two ways is unsafe: one that normalises, decodes twice or
 * maps characters would reach another resource than the one that was judged. Quoted keys hold data and may hold
 * anything percent-encoded, but no control characters. A dot segment between plain slashes is unsafe even in quotes,
 * for URLs are normalised without regard to quotes.
 *
 * @param path raw, without the query: `/accounts(accountnumber='A%2FB')/name`
 */
export function unsafePath(path: string): string | undefined {
  if (path.length > 0 && !path.startsWith('/')) return 'does not begin with a slash'
  if (/[^\x21-\x7e]/.test(path)) return 'holds blanks, control characters or characters outside of ASCII'
  if (/[\\#?]/.test(path)) return 'holds a backslash, a fragment or a question mark'
  if (path.split('/').some(isDotSegment)) return 'holds a dot segment'
  const segments = rawSegments(path)
  if (segments === undefined) return 'holds a quote or a parenthesis without its counterpart'
  for (const [index, segment] of segments.entries()) {
    const reason = segment.raw === '' && index < segments.length - 1 ? 'holds an empty segment' : unsafeSegment(segment)
    if (reason !== undefined) return reason
  }
  return undefined
}

function isDotSegment(raw: string): boolean {
  return /^(?:\.|%2e)+$/i.test(raw)
}

function unsafeSegment({ plain, quoted }: PathSegment): string | undefined {
  let name: string
  try {
    name = decodeURIComponent(plain)
    if (/\p{Cc}/u.test(decodeURIComponent(quoted))) return 'holds an encoded control character'
  } catch {
    return 'holds a percent code that is not UTF-8'
  }
  if (/\p{Cc}/u.test(name)) return 'holds an encoded control character'
  if (/[/\\]/.test(name)) return 'holds an encoded slash or backslash outside of a quoted key'
  if (/[%;?#<>|]/.test(name)) return 'holds a character that has no place outside of a quoted key'
  if (/[^\p{L}\p{N}\p{M}\x21-\x7e]/u.test(name.replace(/\(.*/s, '')) || name.normalize('NFKC') !== name) {
    return 'holds a character that has no place in a name'
  }
  return undefined
}
