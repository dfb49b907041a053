import { idOf, parted, queryOptions, type Segment } from './address.ts'
import { bodyOf } from './body.ts'
import type { Environment } from './environment.ts'
import { badPayload, badQuery, DataverseError, noMethod, noRow, noSegment } from './errors.ts'
import type { Json } from './json.ts'
import type { Operation, Reply } from './operation.ts'
import { jsonReply, writingOf } from './read.ts'
import { followed, related } from './representation.ts'
import type { Row } from './rows.ts'
import { entityTypes, type EntityType } from './schema.ts'
import { type Target, targetRow } from './targets.ts'
import { store } from './update.ts'

/** `…/<navigation>/$ref`: reads, adds, sets or removes references between rows. */
export function reference(
  environment: Environment, operation: Operation, type: EntityType, row: Row, navigation: Segment,
): Reply {
  const { name } = navigation
  const lookup = type.lookups[name]
  const collection = type.collections[name]
  switch (operation.method) {
    case 'GET': return read()
    case 'POST': return collection ? change(named(), true) : wrongMethod()
    case 'PUT': return lookup ? set(named()) : wrongMethod()
    case 'DELETE': return lookup ? set(undefined) : change(removed(), false)
    default: return wrongMethod()
  }

  function read(): Reply {
    const writing = writingOf(environment, operation)
    const address = (set: string, id: Json): string => `${writing.root}/${set}(${String(id)})`
    const context = `${writing.root}/$metadata#${collection ? 'Collection($ref)' : '$ref'}`
    if (lookup) {
      const target = followed(environment, row, lookup)
      if (target === undefined) return { status: 204, headers: [] }
      return jsonReply(200, {
        '@odata.context': context, '@odata.id': address(lookup.set, target.row[target.type.key] ?? null),
      }, writing)
    }
    const target = entityTypes.get(collection?.set ?? '')
    if (target === undefined) throw noSegment(name)
    const value = related(environment, type, row, name)
      .map((each) => ({ '@odata.id': address(target.set, each[target.key] ?? null) }))
    return jsonReply(200, { '@odata.context': context, value }, writing)
  }

  function named(): Target {
    const url = bodyOf(operation, type.set)['@odata.id']
    if (typeof url !== 'string') throw badPayload('The property \'@odata.id\' is missing.', type.set)
    return targetRow(environment, operation, url)
  }

  function removed(): Target {
    if (navigation.keys !== undefined) {
      const target = entityTypes.get(collection?.set ?? '')
      if (target === undefined) throw noSegment(name)
      return { type: target, id: idOf(navigation) }
    }
    const url = queryOptions(parted(operation.target).query).get('$id')
    if (url === undefined) throw badQuery('The $id query option is missing.')
    return targetRow(environment, operation, url)
  }

  function set(target: Target | undefined): Reply {
    if (target !== undefined && target.type.set !== lookup?.set) {
      throw badPayload(`A ${target.type.name} cannot be referred to by '${name}'.`, type.set)
    }
    store(environment, operation, type, row, { [lookup?.column ?? '']: target?.id ?? null })
    return { status: 204, headers: [] }
  }

  function change(target: Target, linked: boolean): Reply {
    if (collection === undefined) throw noSegment(name)
    if (target.type.set !== collection.set) {
      throw badPayload(`A ${target.type.name} cannot be added to '${name}'.`, type.set)
    }
    const id = String(row[type.key])
    if (collection.pairs !== undefined) {
      const pair = collection.half === 0 ? `${id}/${target.id}` : `${target.id}/${id}`
      environment.store.relate(collection.pairs, pair, linked)
      environment.store.executed({ method: operation.method, entitySet: type.set, id })
      return { status: 204, headers: [] }
    }
    const other = environment.store.table(target.type.set).rows.get(target.id)
    if (other === undefined || (!linked && other[collection.column ?? ''] !== id)) throw noRow(target.type.name, target.id)
    store(environment, operation, target.type, other, { [collection.column ?? '']: linked ? id : null })
    return { status: 204, headers: [] }
  }

  function wrongMethod(): never {
    if (lookup === undefined && collection === undefined) throw noSegment(name)
    throw operation.method === 'PATCH'
      ? noMethod(operation.method)
      : new DataverseError(405, '0x80060888', `The method ${operation.method} is not allowed on '${name}/$ref'.`)
  }
}
