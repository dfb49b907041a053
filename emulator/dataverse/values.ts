import type { Json } from '../http/json.ts'
import { literal } from './address.ts'
import { badPayload, DataverseError } from './errors.ts'
import type { Value } from './rows.ts'
import type { Column, EntityType } from './schema.ts'

/** The value of a column, from JSON; 400 when it has another type or is too long. */
export function valueOf(value: Json, name: string, column: Column, type: EntityType): Value {
  if (value === null || fits(value, column)) return value as Value
  if (column.type === 'text' && typeof value === 'string') {
    throw new DataverseError(
      400,
      '0x80044331',
      `A validation error occurred.  The length of the '${name}' attribute ` +
        `of the '${type.name}' entity exceeded the maximum allowed length of '${column.length}'.`,
    )
  }
  throw badPayload(
    `Microsoft.OData.ODataException: Cannot convert a value to the expected type of the property '${name}'.`,
    type.set,
  )
}

function fits(value: Json, column: Column): boolean {
  switch (column.type) {
    case 'text':
      return typeof value === 'string' && value.length <= column.length
    case 'integer':
    case 'choice':
      return Number.isInteger(value)
    case 'big':
      return Number.isInteger(value) || typeof value === 'bigint'
    case 'money':
      return typeof value === 'number'
    case 'boolean':
      return typeof value === 'boolean'
    case 'date':
      return typeof value === 'string' && !Number.isNaN(Date.parse(value))
    case 'guid':
      return typeof value === 'string' && literal(value) === value.toLowerCase()
    case 'image':
      return typeof value === 'string' && /^[A-Za-z0-9+/=]*$/.test(value)
    case 'lookup':
    case 'file':
      return false
  }
}

/** 400 for a property that an entity type does not have. */
export function undeclared(name: string, type: EntityType): DataverseError {
  return badPayload(
    `Microsoft.OData.ODataException: Does not support untyped value in non-open type: '${name}' on ` +
      `'Microsoft.Dynamics.CRM.${type.name}'.`,
    type.set,
  )
}
