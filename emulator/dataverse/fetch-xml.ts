import { badQuery, DataverseError } from './errors.ts'

/** A FetchXML query on one table: what the emulator knows of it. */
export interface Fetch {
  /** Logical name of the table. */
  readonly entity: string
  /** `undefined`: all columns. */
  readonly columns: readonly string[] | undefined
  readonly orders: readonly { readonly column: string; readonly descending: boolean }[]
  readonly conditions: readonly Condition[]
  readonly top: number | undefined
  readonly count: number | undefined
  readonly page: number
  readonly cookie: string | undefined
}

/** One of the conditions, which must all hold. */
export interface Condition {
  readonly column: string
  readonly operator: string
  readonly values: readonly string[]
}

const TAG = /<(\/?)([a-z-]+)((?:\s+[a-z-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/y
const FETCH_ATTRIBUTES = new Set(['version', 'mapping', 'output-format', 'top', 'count', 'page', 'paging-cookie'])
const OPERATORS = new Set(['eq', 'ne', 'in', 'null', 'not-null'])

/** Reads FetchXML. Throws 400 if it is malformed, and 501 for what Dataverse supports and the emulator does not. */
export function parseFetchXml(xml: string): Fetch {
  let fetch: ReadonlyMap<string, string> | undefined
  let entity: string | undefined
  let condition: { readonly column: string; readonly operator: string; readonly values: string[] } | undefined
  const columns: string[] = []
  const orders: { column: string; descending: boolean }[] = []
  const conditions: Condition[] = []
  const open: string[] = []
  for (const { closing, name, attributes, empty, text } of tagsOf(xml)) {
    if (closing) {
      if (open.pop() !== name) throw malformed()
      if (name === 'value') condition?.values.push(unescaped(text))
      continue
    }
    if (open.length === 0 && fetch !== undefined) throw malformed()
    if (!empty) open.push(name)
    const of = (attribute: string): string => attributes.get(attribute) ?? ''
    switch (name) {
      case 'fetch':
        fetch = attributes
        break
      case 'entity':
        entity = of('name')
        break
      case 'attribute':
        columns.push(of('name'))
        break
      case 'order':
        orders.push({ column: of('attribute'), descending: of('descending') === 'true' })
        break
      case 'condition':
        if (!OPERATORS.has(of('operator'))) throw notEmulated(`The operator ${of('operator')}`)
        condition = { column: of('attribute'), operator: of('operator'), values: [] }
        if (attributes.has('value')) condition.values.push(of('value'))
        conditions.push(condition)
        break
      case 'all-attributes':
      case 'value':
        break
      case 'filter':
        if (attributes.has('type') && of('type') !== 'and') throw notEmulated('A filter other than "and"')
        break
      default:
        throw notEmulated(`The element ${name} of FetchXML`)
    }
  }
  if (fetch === undefined || entity === undefined || open.length > 0) throw malformed()
  for (const name of fetch.keys())
    if (!FETCH_ATTRIBUTES.has(name)) throw notEmulated(`The attribute ${name} of FetchXML`)
  const number = (name: string): number | undefined => (fetch.has(name) ? Number(fetch.get(name)) : undefined)
  if (fetch.has('top') && (fetch.has('page') || fetch.has('count'))) {
    throw badQuery('The top attribute cannot be specified with paging attribute page.')
  }
  return {
    entity,
    columns: columns.length === 0 ? undefined : columns,
    orders,
    conditions,
    top: number('top'),
    count: number('count'),
    page: number('page') ?? 1,
    cookie: fetch.get('paging-cookie'),
  }
}

interface Tag {
  readonly closing: boolean
  readonly name: string
  readonly attributes: ReadonlyMap<string, string>
  readonly empty: boolean
  /** The text before it. */
  readonly text: string
}

function tagsOf(xml: string): Tag[] {
  const tags: Tag[] = []
  for (let at = 0; ; at = TAG.lastIndex) {
    const start = xml.indexOf('<', at)
    const text = xml.slice(at, start === -1 ? xml.length : start)
    if (start === -1) {
      if (text.trim() !== '' || tags.length === 0) throw malformed()
      return tags
    }
    TAG.lastIndex = start
    const [, slash, name = '', attributes = '', empty] = TAG.exec(xml) ?? []
    if (slash === undefined) throw malformed()
    const pairs = [...attributes.matchAll(/([a-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)]
    tags.push({
      closing: slash === '/',
      name,
      attributes: new Map(pairs.map(([, key = '', double, single]) => [key, unescaped((double ?? single)!)])),
      empty: empty === '/',
      text,
    })
  }
}

function unescaped(text: string): string {
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => ENTITIES[name]!)
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }

function malformed(): DataverseError {
  return badQuery('Invalid XML.')
}

function notEmulated(what: string): DataverseError {
  return new DataverseError(501, '0x80060888', `${what} is not emulated.`)
}
