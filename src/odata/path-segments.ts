/** One segment of a raw path, still percent-encoded. */
export interface PathSegment {
  readonly raw: string
  /** The segment without what stands between quotes. */
  readonly plain: string
  /** What stands between quotes. */
  readonly quoted: string
}

/**
 * The segments of a raw path. A slash in a quoted key separates nothing; quotes count only within parentheses.
 *
 * @param path raw, with or without its first slash; the last segment is empty when it ends in a slash
 * @returns `undefined` when a quote or a parenthesis lacks its counterpart
 */
export function rawSegments(path: string): readonly PathSegment[] | undefined {
  const segments: PathSegment[] = []
  let raw = ''
  let plain = ''
  let quoted = ''
  let depth = 0
  let inQuotes = false
  for (const [token] of path.replace(/^\//, '').matchAll(/%2[789]|[^]/g)) {
    if (token === '/' && !inQuotes) {
      if (depth > 0) return undefined
      segments.push({ raw, plain, quoted })
      raw = plain = quoted = ''
      continue
    }
    raw += token
    const isQuote = token === "'" || token === '%27'
    if (isQuote && depth === 0) return undefined
    if (isQuote) inQuotes = !inQuotes
    else if (inQuotes) {
      quoted += token
      continue
    } else if (token === '(' || token === '%28') depth++
    else if (token === ')' || token === '%29') depth--
    if (depth < 0) return undefined
    plain += token
  }
  if (inQuotes || depth > 0) return undefined
  segments.push({ raw, plain, quoted })
  return segments
}
