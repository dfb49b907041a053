import { addPaths, splitOutside, withoutTexts } from './expressions.ts'
import { fetchedEntities } from './fetch-xml.ts'

/** Where a query leads beyond the resource that its path names. */
export interface Navigation {
  /**
   * Navigation properties, and entities of FetchXML, by name; and whatever else stands where one could: nobody can tell
   * them apart without metadata.
   */
  readonly names: readonly string[]
  /** Those of them that are entities of FetchXML: which navigation properties lead there, it does not say. */
  readonly entities: readonly string[]
  /** A query option that names a stored query, `savedQuery` or `userQuery`, or a `fetchXml` that cannot be read. */
  readonly query: string | undefined
}

/**
 * Where `query` leads. What it cannot make sense of it names as well, so that whoever asks can refuse it: nothing that
 * Dynamics may take for a navigation property is left out.
 *
 * @param query raw, with or without its question mark
 * @returns `undefined` when it cannot be decoded, names an option with letters that no option has, or is nested more
 *   deeply than Dynamics goes
 */
export function navigationOf(query: string): Navigation | undefined {
  const names = new Set<string>()
  const fetched: string[] = []
  const found: Found = { names, left: 4 * query.length + SPARE }
  let other: string | undefined
  for (const option of query.replace(/^\?/, '').split('&')) {
    if (option === '') continue
    const equals = option.indexOf('=')
    const name = decoded(equals === -1 ? option : option.slice(0, equals))
      ?.trim()
      .replace(/^[$\s]+/, '')
      .toLowerCase()
    const value = equals === -1 ? '' : decoded(option.slice(equals + 1))
    // Some letters outside of ASCII become ASCII ones where letter case is ignored.
    if (name === undefined || value === undefined || /[^\x20-\x7e]/.test(name)) return undefined
    if (STORED.has(name)) other ??= name
    else if (name === 'fetchxml') {
      const entities = fetchedEntities(value)
      if (entities === undefined) other ??= name
      fetched.push(...(entities ?? []))
    } else for (const text of withoutTexts(value)) addOption(name, text, found, 0)
  }
  if (found.left < 0) return undefined
  return { names: [...new Set([...names, ...fetched])], entities: fetched, query: other }
}

/** What was found so far. */
interface Found {
  readonly names: Set<string>
  /** Characters that may still be read of what is nested, where each is read again at each depth; below 0: too deep. */
  left: number
}

const STORED: ReadonlySet<string> = new Set(['savedquery', 'userquery'])

/** Options whose values name no properties. */
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

/** Deeper than Dynamics goes. */
const DEEPEST = 15
/** What a short query may have beyond four times its length, so that its depth alone counts. */
const SPARE = 16_384

/** Where an option leads, of the query or inside `$expand`. */
function addOption(name: string, text: string, found: Found, depth: number): void {
  const { names } = found
  found.left = depth > DEEPEST ? -1 : found.left - text.length
  if (found.left < 0) return
  if (name === 'expand') addExpanded(text, found, depth)
  else if (name === 'select') addSelected(text, found, depth)
  else if (name === 'apply') addApplied(text, names)
  else if (depth > 0 || !OPAQUE.has(name)) addPaths(text, names)
}

/** `a($expand=b;$filter=c/d eq 1),e/f` leads to a, b, c, e and f. */
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

/** Columns lead nowhere, unless a path or options of their own stand behind them. */
function addSelected(text: string, found: Found, depth: number): void {
  addPaths(text, found.names)
  for (const item of splitOutside(text, ',')) {
    if (item.includes('(')) addExpanded(item, found, depth)
  }
}

function addApplied(text: string, names: Set<string>): void {
  addPaths(text, names, TRANSFORMATIONS)
  // Transformations that take a navigation property as it is, without a slash; and properties that look like one.
  for (const [word] of text.matchAll(LEADING)) names.add(word)
  for (const [, word] of text.matchAll(/(?<![\w.])(\w+)\s*\(/g)) {
    if (!TRANSFORMATIONS.has(word!.toLowerCase()) && !FUNCTIONS.has(word!.toLowerCase())) names.add(word!)
  }
}

const LEADING = /\b(?:join|outerjoin|expand|nest|ancestors|descendants|traverse|from)\b/gi

/** Those of `$apply` that lead nowhere by themselves. */
const TRANSFORMATIONS: ReadonlySet<string> = new Set([
  'aggregate',
  'groupby',
  'filter',
  'compute',
  'orderby',
  'top',
  'skip',
  'search',
  'concat',
  'identity',
  'topcount',
  'topsum',
  'toppercent',
  'bottomcount',
  'bottomsum',
  'bottompercent',
  'rollup',
])

/** Functions and operators of expressions that may stand before a parenthesis. */
const FUNCTIONS: ReadonlySet<string> = new Set([
  'contains',
  'startswith',
  'endswith',
  'indexof',
  'length',
  'substring',
  'tolower',
  'toupper',
  'trim',
  'year',
  'month',
  'day',
  'hour',
  'minute',
  'second',
  'date',
  'time',
  'round',
  'floor',
  'ceiling',
  'now',
  'and',
  'or',
  'not',
  'eq',
  'ne',
  'gt',
  'ge',
  'lt',
  'le',
  'in',
  'add',
  'sub',
  'mul',
  'div',
  'mod',
  'with',
  'as',
  'by',
])

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
