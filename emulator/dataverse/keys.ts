import type { Keys, Literal } from './address.ts'
import type { Environment } from './environment.ts'
import { DataverseError, noRow } from './errors.ts'
import type { Row, Value } from './rows.ts'
import type { EntityType } from './schema.ts'

/** The row with a key. */
export function rowOf(environment: Environment, type: EntityType, keys: Keys): Row | undefined {
  const { rows } = environment.store.table(type.set)
  if ('id' in keys) return rows.get(keys.id)
  const columns = keyColumns(type, keys)
  const own = columns[type.key]
  if (typeof own === 'string') return rows.get(own)
  return [...rows.values()].find((row) =>
    Object.entries(columns).every(
      ([column, value]) => String(row[column] ?? '').toLowerCase() === String(value ?? '').toLowerCase(),
    ),
  )
}

/** The row with a key, or the 404 of Dataverse for this kind of key. */
export function existing(environment: Environment, type: EntityType, keys: Keys): Row {
  const row = rowOf(environment, type, keys)
  if (row === undefined) throw missing(type, keys)
  return row
}

/** The columns and values of a key; 400 when the type has no such key. */
export function keyColumns(type: EntityType, keys: Keys): Row {
  if ('id' in keys) return { [type.key]: keys.id }
  const names = [...keys.named.keys()].toSorted().join()
  const known = [[type.key], ...type.alternateKeys].some((key) => key.toSorted().join() === names)
  if (!known) {
    throw new DataverseError(
      400,
      '0x80060888',
      `The key in the request URI is not valid for resource '${type.name}': no alternate key of '${names}'.`,
    )
  }
  return Object.fromEntries([...keys.named].map(([name, value]) => [name, plain(value)]))
}

function plain(value: Literal): Value {
  return typeof value === 'object' && value !== null ? value.raw : value
}

/** The 404 for a key without a row. */
export function missing(type: EntityType, keys: Keys): DataverseError {
  if ('id' in keys) return noRow(type.name, keys.id)
  return new DataverseError(
    404,
    '0x80060891',
    `A record with the specified key values does not exist in ${type.name} entity`,
  )
}
