import { addApplied } from './apply.ts'
import { decodedQuery } from './decoded-query.ts'
import { addPaths, splitOutside, withoutLiterals } from './expressions.ts'
import { fetchedEntities } from './fetch-xml.ts'

/** What a query reads beyond the resource of its path. */
export interface Navigation {
  /**
   * Names of navigation properties and entities of FetchXML, and any other names in their place: they cannot be told
   * apart without metadata.
   */
  readonly names: readonly string[]
  /** Those that are entities of FetchXML, which does not name the navigation properties. */
  readonly entities: readonly string[]
  /** A query option for a stored query, `savedQuery` or `userQuery`, or a `fetchXml` that cannot be parsed. */
  readonly query: string | undefined
}

/**
 * What `query` reads. It also returns names that it cannot interpret, so that they can be refused. Nothing that
 * Dynamics may treat as a navigation property is omitted.
 *
 * @param query raw, with or without its question mark
 * @returns `undefined` when it cannot be decoded, has an option with letters that no option has, or is nested more
 *   deeply than Dynamics goes
 */
export function navigationOf(query: string): Navigation | undefined {
  const names = new Set<string>()
  const fetched: string[] = []
  const found: Found = { names, left: 4 * query.length + MIN_CHARACTER_BUDGET }
  let other: string | undefined
  for (const option of query.replace(/^\?/, '').split('&')) {
    if (option === '') continue
    const equals = option.indexOf('=')
    const name = decodedQuery(equals === -1 ? option : option.slice(0, equals))
      ?.trim()
      .replace(/^[$\s]+/, '')
      .toLowerCase()
    const value = equals === -1 ? '' : decodedQuery(option.slice(equals + 1))
    // Some letters outside ASCII become ASCII when letter case is ignored.
    if (name === undefined || value === undefined || /[^\x20-\x7e]/.test(name)) return undefined
    if (STORED.has(name)) other ??= name
    else if (name === 'fetchxml') {
      const entities = fetchedEntities(value)
      if (entities === undefined) other ??= name
      fetched.push(...(entities ?? []))
    } else for (const text of withoutLiterals(value)) addOption(name, text, found, 0)
  }
  if (found.left < 0) return undefined
  return { names: [...new Set([...names, ...fetched])], entities: fetched, query: other }
}

/** The result so far. */
interface Found {
  readonly names: Set<string>
  /** The remaining budget of characters for nested parts, which are read again at each depth; below 0: too deep. */
  left: number
}

const STORED: ReadonlySet<string> = new Set(['savedquery', 'userquery'])

/** Options whose values contain no names of properties. */
const OPAQUE: ReadonlySet<string> = new Set([
  'skiptoken',
  'deltatoken',
  'top',
  'skip',
  'count',
  'format',
  'tag',
  'partitionid',
  'id',
  'annotations',
])

/** Deeper than Dynamics accepts. */
const MAX_DEPTH = 15
/** Extra budget, so that for a short query only its depth counts. */
const MIN_CHARACTER_BUDGET = 16_384

/** Adds the names of an option, of the query or inside `$expand`. */
function addOption(name: string, text: string, found: Found, depth: number): void {
  const { names } = found
  found.left = depth > MAX_DEPTH ? -1 : found.left - text.length
  if (found.left < 0) return
  if (name === 'expand') addExpanded(text, found, depth)
  else if (name === 'select') addSelected(text, found, depth)
  else if (name === 'apply') addApplied(text, names)
  else if (depth > 0 || !OPAQUE.has(name)) addPaths(text, names)
}

/** Adds a, b, c, e and f for `a($expand=b;$filter=c/d eq 1),e/f`. */
function addExpanded(text: string, found: Found, depth: number): void {
  const { names } = found
  for (const item of splitOutside(text, ',')) {
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
      if (name === undefined) addPaths(option, names)
      else addOption(name.toLowerCase(), inner, found, depth + 1)
    }
  }
}

/** Adds selected names that have a path or options; plain columns are not navigation properties. */
function addSelected(text: string, found: Found, depth: number): void {
  addPaths(text, found.names)
  for (const item of splitOutside(text, ',')) {
    if (item.includes('(')) addExpanded(item, found, depth)
  }
}
