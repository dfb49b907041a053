/** The type of a column; `length` is the longest text it accepts, in characters. */
export type Column =
  | { readonly type: 'text'; readonly length: number }
  | { readonly type: 'integer' | 'big' | 'money' | 'boolean' | 'date' | 'guid' | 'lookup' | 'file' | 'image' }
  | { readonly type: 'choice'; readonly labels: Readonly<Record<number, string>> }

/** A single-valued navigation property: its lookup column, and the entity set it refers to. */
export interface Lookup {
  readonly column: string
  readonly set: string
}

/**
 * A collection-valued navigation property: rows of `set` whose lookup `column` refers to this row. Many to many:
 * rows that form a pair with this one in the list `pairs`, in which this row is the first (0) or second (1) half.
 */
export type Collection =
  | { readonly set: string; readonly column: string }
  | { readonly set: string; readonly pairs: string; readonly half: 0 | 1 }

/** An entity type with its entity set. */
export interface EntityType {
  readonly name: string
  readonly set: string
  readonly key: string
  readonly title: string
  readonly columns: Readonly<Record<string, Column>>
  readonly lookups: Readonly<Record<string, Lookup>>
  readonly collections: Readonly<Record<string, Collection>>
  readonly alternateKeys: readonly (readonly string[])[]
}

/** A column of text. */
export const text = (length: number): Column => ({ type: 'text', length })
/** A choice column with labels, numbered from 0. */
export const choice = (...labels: readonly string[]): Column => ({ type: 'choice', labels: { ...labels } })
/** A column of integers. */
export const integer: Column = { type: 'integer' }
/** A column of money. */
export const money: Column = { type: 'money' }
/** A column of true or false. */
export const boolean: Column = { type: 'boolean' }
/** A column of points in time. */
export const date: Column = { type: 'date' }
/** A column of GUIDs. */
export const guid: Column = { type: 'guid' }

/** A type whose rows record who created and modified them. */
export function audited(type: EntityType): EntityType {
  const user = (column: string): Lookup => ({ column: `_${column}_value`, set: 'systemusers' })
  const lookups = {
    ...type.lookups,
    createdby: user('createdby'),
    createdonbehalfby: user('createdonbehalfby'),
    modifiedby: user('modifiedby'),
    modifiedonbehalfby: user('modifiedonbehalfby'),
  }
  return completed({ ...type, lookups })
}

/** An audited type whose rows also have an owner and a state. */
export function owned(type: EntityType): EntityType {
  const base = audited(type)
  const owner = { column: '_ownerid_value', set: 'systemusers' }
  return completed({
    ...base,
    columns: {
      ...base.columns,
      statecode: choice('Active', 'Inactive'),
      statuscode: choice('', 'Active', 'Inactive'),
    },
    lookups: {
      ...base.lookups,
      ownerid: owner,
      ownerid_systemuser: owner,
      owninguser: { column: '_owninguser_value', set: 'systemusers' },
      owningbusinessunit: { column: '_owningbusinessunit_value', set: 'businessunits' },
    },
  })
}

function completed(type: EntityType): EntityType {
  const lookupColumns = Object.values(type.lookups).map(({ column }) => [column, { type: 'lookup' }] as const)
  return {
    ...type,
    columns: {
      [type.key]: guid,
      ...type.columns,
      ...Object.fromEntries(lookupColumns),
      createdon: date,
      modifiedon: date,
      versionnumber: { type: 'big' },
      ...('entityimage' in type.columns ? { entityimage_url: text(200) } : {}),
      ...('sample_file' in type.columns ? { sample_file_name: text(200) } : {}),
    },
  }
}
