import { equal, like, order } from './compare.ts'
import { badQuery } from './errors.ts'
import { type Token, tokensOf } from './filter-tokens.ts'
import type { Row, Value } from './rows.ts'
import { type Collection, type EntityType, typeOf } from './schema.ts'

/** What a filter needs to evaluate names, lookups and parameter aliases. */
export interface FilterScope {
  readonly type: EntityType
  /** The row that a lookup refers to, for paths such as `primarycontactid/fullname`. */
  follow(set: string, id: string): Row | undefined
  /** The rows of a collection-valued navigation property, for `any` and `all`. */
  related(type: EntityType, row: Row, collection: Collection): readonly Row[]
  /** Values of parameter aliases (`@p`). */
  readonly aliases: ReadonlyMap<string, string>
  readonly wildcardsInEquals: boolean
}

/** Whether a row matches. */
export type Test = (row: Row) => boolean

type Term = (row: Row) => Value

/** Deepest nesting of expressions, as in Microsoft's OData library. */
const MAX_DEPTH = 100

/** A test for `$filter`. Throws 400 as Dataverse does when the expression or a name in it is wrong. */
export function filterOf(text: string, scope: FilterScope): Test {
  let tokens = tokensOf(text)
  let next = 0
  let depth = 0
  let variables: { readonly name: string; readonly type: EntityType }[] = []

  const test = orExpression()
  if (peek().kind !== 'end') throw syntax()
  return test

  function orExpression(): Test {
    let left = andExpression()
    while (accept('or')) {
      const [first, second] = [left, andExpression()]
      left = (row) => first(row) || second(row)
    }
    return left
  }

  function andExpression(): Test {
    let left = unary()
    while (accept('and')) {
      const [first, second] = [left, unary()]
      left = (row) => first(row) && second(row)
    }
    return left
  }

  function unary(): Test {
    depth += 1
    if (depth > MAX_DEPTH) throw badQuery('The recursion limit of the query expression was exceeded.')
    try {
      return primary()
    } finally {
      depth -= 1
    }
  }

  function primary(): Test {
    if (accept('not')) {
      const denied = unary()
      return (row) => !denied(row)
    }
    if (peek().text === '(') {
      expect('(')
      const inner = orExpression()
      expect(')')
      return inner
    }
    const called = call() ?? lambda()
    if (called !== undefined) return accept('eq') ? optionallyEqual(called) : called
    return comparison()
  }

  function optionallyEqual(called: Test): Test {
    const wanted = accept('true') || (expect('false'), false)
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
    if (called === 'Microsoft.Dynamics.CRM.In') return inFunction()
    if (called !== 'contains' && called !== 'startswith' && called !== 'endswith') {
      throw badQuery(`An unknown function with name '${called}' was found.`)
    }
    next += 2
    const where = operand()
    expect(',')
    const what = operand()
    expect(')')
    const [before, after] = [called === 'startswith' ? '' : '%', called === 'endswith' ? '' : '%']
    return (row) => like(where(row), `${before}${String(what(row) ?? '')}${after}`)
  }

  function inFunction(): Test {
    next += 2
    const parameters = new Map<string, string[]>()
    do {
      const parameter = name()
      expect('=')
      const values: string[] = []
      const list = accept('[')
      do {
        values.push(constant(tokens[next++] ?? peek()))
      } while (list && accept(','))
      if (list) expect(']')
      parameters.set(parameter, values)
    } while (accept(','))
    expect(')')
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
    if (accept(')')) return (row) => scope.related(type, row, collection).length > 0
    const variable = name()
    expect(':')
    variables = [...variables, { name: variable, type: typeOf(collection.set) }]
    const inner = orExpression()
    variables = variables.slice(0, -1)
    expect(')')
    return word?.text === 'any'
      ? (row) => scope.related(type, row, collection).some(inner)
      : (row) => scope.related(type, row, collection).every(inner)
  }

  function operand(): Term {
    const token = tokens[next++] ?? peek()
    if (token.kind === 'punctuation' || token.kind === 'end') throw syntax()
    if (token.kind === 'number') return constantTerm(numberOf(token.text))
    if (token.kind !== 'name') return constantTerm(constant(token))
    if (token.text === 'null') return constantTerm(null)
    if (token.text === 'true' || token.text === 'false') return constantTerm(token.text === 'true')
    if (token.text.startsWith('@')) return alias(token.text)
    if (token.text === 'tolower' || token.text === 'toupper') {
      expect('(')
      const inner = operand()
      expect(')')
      return inner
    }
    const variable = variables.find((each) => each.name === token.text)
    if (variable !== undefined) {
      expect('/')
      return property(variable.type, name())
    }
    return accept('/') ? path(token.text) : property(scope.type, token.text)
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
    if (value === undefined) return constantTerm(null)
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

  function accept(wanted: string): boolean {
    const found = peek().kind !== 'string' && peek().text === wanted
    if (found) next += 1
    return found
  }

  function expect(wanted: string): void {
    if (!accept(wanted)) throw syntax()
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

/** A number without loss of digits: integers beyond 2^53 become `bigint`. */
function numberOf(text: string): Value {
  const value = Number(text)
  return Number.isSafeInteger(value) || text.includes('.') ? value : BigInt(text)
}

function constantTerm(value: Value): Term {
  return () => value
}
