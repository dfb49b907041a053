import { fetchedEntities } from './fetch-xml.ts'

/** Where a query leads beyond the resource that its path names. */
export interface Navigation {
  /**
   * Navigation properties, and entities of FetchXML, by name; and whatever else stands where one could: nobody can tell
   * them apart without metadata.
   */
  readonly names: readonly string[]
  /** A query option that names a stored query, `savedQuery` or `userQuery`, or a `fetchXml` that cannot be read. */
  readonly query: string | undefined
}

/**
 * Where `query` leads. What it cannot make sense of it names as well, so that whoever asks can refuse it: nothing that
 * Dynamics may take for a navigation property is left out.
 *
 * @param query raw, with or without its question mark
 * @returns `undefined` when it cannot be decoded
 */
export function navigationOf(query: string): Navigation | undefined {
  const names = new Set<string>()
  let other: string | undefined
  for (const option of query.replace(/^\?/, '').split('&')) {
    const equals = option.indexOf('=')
    const name = decoded(equals === -1 ? option : option.slice(0, equals))?.trim().replace(/^\$/, '').toLowerCase()
    const value = equals === -1 ? '' : decoded(option.slice(equals + 1))
    if (name === undefined || value === undefined) return undefined
    if (STORED.has(name)) other ??= name
    else if (name === 'fetchxml') {
      const entities = fetchedEntities(value)
      if (entities === undefined) other ??= name
      for (const entity of entities ?? []) names.add(entity)
    }
    else if (name === 'expand') addExpanded(withoutTexts(value), names, 0)
    else if (!OPAQUE.has(name)) {
      addPaths(value, names)
      // Transformations that take a navigation property as it stands, without a slash.
      if (name === 'apply') for (const [word] of value.matchAll(LEADING)) names.add(word)
    }
  }
  return { names: [...names], query: other }
}

const LEADING = /\b(?:join|outerjoin|expand|nest|ancestors|descendants|traverse|from)\b/gi

const STORED: ReadonlySet<string> = new Set(['savedquery', 'userquery'])

/** Options whose values name no properties. */
const OPAQUE: ReadonlySet<string> = new Set([
  'skiptoken', 'deltatoken', 'top', 'skip', 'count', 'format', 'tag', 'partitionid', 'id', 'annotations',
])

/** Deeper than Dynamics goes; what is deeper still is named by the option itself, which nothing can allow. */
const DEEPEST = 15

/** `a($expand=b;$filter=c/d eq 1),e/f` leads to a, b, c, e and f. */
function addExpanded(value: string, names: Set<string>, depth: number): void {
  if (depth > DEEPEST) names.add('$expand')
  else for (const item of splitOutside(value, ',')) {
    const open = item.indexOf('(')
    const path = open === -1 ? item : item.slice(0, open)
    for (const segment of path.split('/')) {
      const name = segment.trim()
      if (name !== '$ref' && name !== '$count' && name !== '') names.add(name)
    }
    if (open === -1) continue
    const options = item.slice(open + 1).replace(/\)\s*$/, '')
    for (const option of splitOutside(options, ';')) {
      const [, name, inner = ''] = /^\s*\$?(\w+)\s*=(.*)$/s.exec(option) ?? []
      if (name?.toLowerCase() === 'expand') addExpanded(inner, names, depth + 1)
      else addPaths(option, names)
    }
  }
}

/** Every name that a slash follows, as in `primarycontactid/fullname eq 'x'`, and every lambda's variable. */
function addPaths(value: string, names: Set<string>): void {
  const pieces = withoutTexts(value).split('/')
  for (const piece of pieces.slice(0, -1)) {
    const end = piece.trimEnd()
    let start = end.length
    while (start > 0 && !/[\s(),;:='"]/.test(end[start - 1]!)) start -= 1
    if (start < end.length) names.add(end.slice(start))
  }
}

/** Without what stands in single quotes; an open quote hides nothing. */
function withoutTexts(value: string): string {
  return value.replace(/'[^']*'/g, '\'\'')
}

/** Splits where `separator` stands outside of parentheses. */
function splitOutside(value: string, separator: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let at = 0; at < value.length; at += 1) {
    if (value[at] === '(') depth += 1
    if (value[at] === ')') depth -= 1
    if (value[at] === separator && depth <= 0) {
      parts.push(value.slice(start, at))
      start = at + 1
    }
  }
  return [...parts, value.slice(start)]
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
