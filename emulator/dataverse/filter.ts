import { equal, like, order } from './compare.ts'
import { badQuery } from './errors.ts'
import { type Token, tokensOf } from './filter-tokens.ts'
import type { Row, Value } from './rows.ts'
import { type Collection, type EntityType, typeOf } from './schema.ts'

/** What a filter needs to know of its surroundings. */
export interface FilterScope {
  readonly type: EntityType
  /** The row a lookup leads to, for paths as `primarycontactid/fullname`. */
  follow(set: string, id: string): Row | undefined
  /** The rows of a collection-valued navigation property, for `any` and `all`. */
  related(type: EntityType, row: Row, collection: Collection): readonly Row[]
  /** Values of parameter aliases (`@p`). */
  readonly aliases: ReadonlyMap<string, string>
  readonly wildcardsInEquals: boolean
}

/** Whether a row passes. */
export type Test = (row: Row) => boolean

type Term = (row: Row) => Value

/** How deeply expressions may nest, as in Microsoft's OData library. */
const MAX_DEPTH = 100

/** A test for `$filter`. Throws 400 as Dataverse does when the expression or a name in it is wrong. */
export function filterOf(text: string, scope: FilterScope): Test {
  let tokens = tokensOf(text)
  let next = 0
  let depth = 0
  let variables: { readonly name: string; readonly type: EntityType }[] = []

  const test = either()
  if (peek().kind !== 'end') throw syntax()
  return test

  function either(): Test {
    let left = both()
    while (taken('or')) {
      const [first, second] = [left, both()]
      left = (row) => first(row) || second(row)
    }
    return left
  }

  function both(): Test {
    let left = single()
    while (taken('and')) {
      const [first, second] = [left, single()]
      left = (row) => first(row) && second(row)
    }
    return left
  }

  function single(): Test {
    depth += 1
    if (depth > MAX_DEPTH) throw badQuery('The recursion limit of the query expression was exceeded.')
    try {
      return nested()
    } finally {
      depth -= 1
    }
  }

  function nested(): Test {
    if (taken('not')) {
      const denied = single()
      return (row) => !denied(row)
    }
    if (peek().text === '(') {
      take('(')
      const inner = either()
      take(')')
      return inner
    }
    const called = call() ?? lambda()
    if (called !== undefined) return taken('eq') ? expecting(called) : called
    return comparison()
  }

  function expecting(called: Test): Test {
    const wanted = taken('true') || (take('false'), false)
    return (row) => called(row) === wanted
  }

  function comparison(): Test {
    const left = operand()
    const operator = name()
    const right = operand()
    switch (operator) {
      case 'eq':
        return (row) => equal(left(row), right(row), scope.wildcardsInEquals)
      case 'ne':
        return (row) => !equal(left(row), right(row), scope.wildcardsInEquals)
      case 'gt':
        return (row) => order(left(row), right(row), (sign) => sign > 0)
      case 'ge':
        return (row) => order(left(row), right(row), (sign) => sign >= 0)
      case 'lt':
        return (row) => order(left(row), right(row), (sign) => sign < 0)
      case 'le':
        return (row) => order(left(row), right(row), (sign) => sign <= 0)
      default:
        throw syntax()
    }
  }

  function call(): Test | undefined {
    const { text: called } = peek()
    if (tokens[next + 1]?.text !== '(') return undefined
    if (called === 'Microsoft.Dynamics.CRM.In') return within()
    if (called !== 'contains' && called !== 'startswith' && called !== 'endswith') {
      throw badQuery(`An unknown function with name '${called}' was found.`)
    }
    next += 2
    const where = operand()
    take(',')
    const what = operand()
    take(')')
    const [before, after] = [called === 'startswith' ? '' : '%', called === 'endswith' ? '' : '%']
    return (row) => like(where(row), `${before}${String(what(row) ?? '')}${after}`)
  }

  function within(): Test {
    next += 2
    const parameters = new Map<string, string[]>()
    do {
      const parameter = name()
      take('=')
      const values: string[] = []
      const list = taken('[')
      do {
        values.push(constant(tokens[next++] ?? peek()))
      } while (list && taken(','))
      if (list) take(']')
      parameters.set(parameter, values)
    } while (taken(','))
    take(')')
    const column = parameters.get('PropertyName')?.[0] ?? ''
    const value = property(scope.type, column)
    const wanted = new Set(parameters.get('PropertyValues')?.map((each) => each.toLowerCase()))
    return (row) => wanted.has(String(value(row) ?? '').toLowerCase())
  }

  function lambda(): Test | undefined {
    const [navigation, slash, word, open] = tokens.slice(next, next + 4)
    const isLambda = slash?.text === '/' && (word?.text === 'any' || word?.text === 'all') && open?.text === '('
    if (!isLambda || navigation === undefined) return undefined
    const { type } = scope
    const collection = type.collections[navigation.text]
    if (collection === undefined) throw noProperty(navigation.text, type)
    next += 4
    if (taken(')')) return (row) => scope.related(type, row, collection).length > 0
    const variable = name()
    take(':')
    variables = [...variables, { name: variable, type: typeOf(collection.set) }]
    const inner = either()
    variables = variables.slice(0, -1)
    take(')')
    return word?.text === 'any'
      ? (row) => scope.related(type, row, collection).some(inner)
      : (row) => scope.related(type, row, collection).every(inner)
  }

  function operand(): Term {
    const token = tokens[next++] ?? peek()
    if (token.kind === 'mark' || token.kind === 'end') throw syntax()
    if (token.kind === 'number') return always(numberOf(token.text))
    if (token.kind !== 'name') return always(constant(token))
    if (token.text === 'null') return always(null)
    if (token.text === 'true' || token.text === 'false') return always(token.text === 'true')
    if (token.text.startsWith('@')) return alias(token.text)
    if (token.text === 'tolower' || token.text === 'toupper') {
      take('(')
      const inner = operand()
      take(')')
      return inner
    }
    const variable = variables.find((each) => each.name === token.text)
    if (variable !== undefined) {
      take('/')
      return property(variable.type, name())
    }
    return taken('/') ? path(token.text) : property(scope.type, token.text)
  }

  function path(navigation: string): Term {
    const lookup = scope.type.lookups[navigation]
    if (lookup === undefined) throw noProperty(navigation, scope.type)
    const value = property(typeOf(lookup.set), name())
    return (row) => {
      const id = row[lookup.column]
      const found = typeof id === 'string' ? scope.follow(lookup.set, id) : undefined
      return found === undefined ? null : value(found)
    }
  }

  function alias(called: string): Term {
    const value = scope.aliases.get(called)
    if (value === undefined) return always(null)
    const [saved, position] = [tokens, next]
    tokens = tokensOf(value)
    next = 0
    const found = operand()
    tokens = saved
    next = position
    return found
  }

  function constant(token: Token): string {
    return token.kind === 'string' ? token.text.slice(1, -1).replaceAll("''", "'") : token.text
  }

  function name(): string {
    const token = tokens[next++] ?? peek()
    if (token.kind !== 'name') throw syntax()
    return token.text
  }

  function peek(): Token {
    return tokens[next] ?? { kind: 'end', text: '', at: text.length }
  }

  function taken(wanted: string): boolean {
    const found = peek().kind !== 'string' && peek().text === wanted
    if (found) next += 1
    return found
  }

  function take(wanted: string): void {
    if (!taken(wanted)) throw syntax()
  }

  function syntax(): Error {
    return badQuery(`Syntax error at position ${peek().at} in '${text}'.`)
  }
}

function property(type: EntityType, column: string): Term {
  const found = type.columns[column]
  if (found === undefined) throw noProperty(column, type)
  return (row) => row[column] ?? null
}

function noProperty(name: string, type: EntityType): Error {
  return badQuery(`Could not find a property named '${name}' on type 'Microsoft.Dynamics.CRM.${type.name}'.`)
}

/** A big integer keeps its digits. */
function numberOf(text: string): Value {
  const value = Number(text)
  return Number.isSafeInteger(value) || text.includes('.') ? value : BigInt(text)
}

function always(value: Value): Term {
  return () => value
}
