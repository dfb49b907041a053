import { addPaths } from './expressions.ts'

/**
 * Adds the names in a value of `$apply` that may be navigation properties.
 *
 * @see https://docs.oasis-open.org/odata/odata-data-aggregation-ext/v4.0/odata-data-aggregation-ext-v4.0.html
 */
export function addApplied(text: string, names: Set<string>): void {
  addPaths(text, names, TRANSFORMATIONS)
  // Transformations that accept a navigation property without a slash, and properties that look like one.
  for (const [word] of text.matchAll(LEADING)) names.add(word)
  for (const [, word] of text.matchAll(/(?<![\w.])(\w+)\s*\(/g)) {
    if (!TRANSFORMATIONS.has(word!.toLowerCase()) && !FUNCTIONS.has(word!.toLowerCase())) names.add(word!)
  }
}

const LEADING = /\b(?:join|outerjoin|expand|nest|ancestors|descendants|traverse|from)\b/gi

/** Transformations of `$apply` without navigation properties of their own. */
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

/** Functions and operators of expressions that may precede a parenthesis. */
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
