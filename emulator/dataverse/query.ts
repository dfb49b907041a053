import { splitOutside } from './address.ts'
import { badQuery, DataverseError } from './errors.ts'
import { type Collection, type EntityType, type Lookup, typeOf } from './schema.ts'

/** The query options of one collection or row, parsed. */
export interface Query {
  /** The selected columns; `undefined` means all. */
  readonly select: readonly string[] | undefined
  readonly expand: readonly Expansion[]
  readonly filter: string | undefined
  readonly orderBy: readonly Order[]
  readonly top: number | undefined
  readonly count: boolean
}

/** One navigation property of `$expand`, with the options in its parentheses. */
export interface Expansion {
  readonly name: string
  readonly to: { readonly lookup: Lookup } | { readonly collection: Collection }
  readonly query: Query
  /** The raw options, for the link to the next page of the expanded rows. */
  readonly text: string
}

/** One column of `$orderby`. */
export interface Order {
  readonly column: string
  readonly descending: boolean
}

const known = new Set([
  '$select',
  '$expand',
  '$filter',
  '$orderby',
  '$top',
  '$count',
  '$skiptoken',
  '$deltatoken',
  '$format',
  '$apply',
  '$id',
])

/** Reads the options of a query on `type`; throws 400 for options that Dataverse does not support. */
export function queryOf(options: ReadonlyMap<string, string>, type: EntityType): Query {
  for (const name of options.keys()) {
    if (name === '$skip') throw badQuery('Skip Clause is not supported in CRM')
    if (name.startsWith('$') && !known.has(name)) {
      throw badQuery(`The query parameter ${name} is not supported.`)
    }
  }
  for (const name of ['$apply', 'fetchXml', 'savedQuery', 'userQuery']) {
    if (options.has(name)) throw new DataverseError(501, '0x80060888', `${name} is not emulated.`)
  }
  return {
    select: selectOf(options.get('$select'), type),
    expand: expandOf(options.get('$expand'), type),
    filter: options.get('$filter'),
    orderBy: orderOf(options.get('$orderby'), type),
    top: topOf(options.get('$top')),
    count: countOf(options.get('$count')),
  }
}

function selectOf(text: string | undefined, type: EntityType): string[] | undefined {
  if (text === undefined || text.trim() === '*') return undefined
  const columns = text
    .split(',')
    .map((column) => column.trim())
    .filter((column) => column !== '')
  return columns.map((column) => columnNamed(column, type))
}

function columnNamed(column: string, type: EntityType): string {
  if (column in type.columns) return column
  // $select also accepts the navigation property of a lookup.
  const lookup = type.lookups[column]
  if (lookup !== undefined) return lookup.column
  throw badQuery(`Could not find a property named '${column}' on type 'Microsoft.Dynamics.CRM.${type.name}'.`)
}

function expandOf(text: string | undefined, type: EntityType): Expansion[] {
  if (text === undefined) return []
  return splitOutside(text, ',').map((part) => {
    const [, name = part, inner = ''] = /^\s*([\w.]+)\s*(?:\((.*)\))?\s*$/s.exec(part) ?? []
    const { [name]: lookup } = type.lookups
    const { [name]: collection } = type.collections
    const text = inner
    if (lookup !== undefined) return { name, to: { lookup }, query: innerQuery(text, lookup.set), text }
    if (collection !== undefined) return { name, to: { collection }, query: innerQuery(text, collection.set), text }
    throw badQuery(`Could not find a property named '${name}' on type 'Microsoft.Dynamics.CRM.${type.name}'.`)
  })
}

function innerQuery(text: string, set: string): Query {
  const options = new Map<string, string>()
  for (const option of splitOutside(text, ';').filter((each) => each.trim() !== '')) {
    const equals = option.indexOf('=')
    if (equals < 0) throw badQuery(`Syntax error in '$expand': '${option}'.`)
    options.set(option.slice(0, equals).trim(), option.slice(equals + 1).trim())
  }
  return queryOf(options, typeOf(set))
}

function orderOf(text: string | undefined, type: EntityType): Order[] {
  if (text === undefined || text === '') return []
  return text.split(',').map((part) => {
    const [column = '', direction = 'asc', ...rest] = part.trim().split(/\s+/)
    if (rest.length > 0 || (direction !== 'asc' && direction !== 'desc')) {
      throw badQuery(`Syntax error at position 0 in '${text}'.`)
    }
    return { column: columnNamed(column, type), descending: direction === 'desc' }
  })
}

function topOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d+$/.test(text)) return Number(text)
  throw badQuery(
    `Invalid value '${text}' for $top query option found. ` +
      'The $top query option requires a non-negative integer value.',
  )
}

function countOf(text: string | undefined): boolean {
  if (text === undefined || text === 'false') return false
  if (text === 'true') return true
  throw badQuery(`Invalid value '${text}' for $count query option found.`)
}
