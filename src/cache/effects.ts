import { bareName } from '../config/rule.ts'
import { pathSegments } from '../odata/resource-path.ts'

/** What a write may change, as far as its method and address tell. */
export interface Effect {
  /** The entity set whose rows it changes, in lower case; `undefined`: any. */
  readonly entitySet: string | undefined
  /** Whether it may change definitions. */
  readonly schema: boolean
  /** Whether it may be an action that is named like an entity set: only its response tells. */
  readonly mayBeAction: boolean
}

/** What a write may change that cannot be told. */
const ANYTHING: Effect = { entitySet: undefined, schema: true, mayBeAction: false }

/**
 * What a write may change. What Dynamics changes along with it is not part of that: rows below in a deep insert, rows
 * that a deletion or a new owner reaches by a cascade, and what plug-ins and workflows do.
 *
 * @param resourcePath raw, below the API root, without its query
 */
export function effectOf(method: string, resourcePath: string | undefined): Effect {
  const segments = resourcePath === undefined ? undefined : pathSegments(resourcePath || '/')
  const first = segments?.[0]
  if (first === undefined) return ANYTHING
  const name = bareName(first.name)
  const schema = isSchema(name) || CHANGES_SCHEMA.test(name)
  // Below a row are navigation properties, which lead to another entity set, and bound actions.
  // So does what begins with `$`, such as a reference to another part of a batch.
  if (schema || segments!.length > 1 || first.name.includes('.') || name.startsWith('$')) {
    return { entitySet: undefined, schema, mayBeAction: false }
  }
  return { entitySet: name, schema, mayBeAction: method === 'POST' && !first.hasParentheses }
}

/** Whether a path begins with one of the resources that hold definitions; its name in lower case. */
export function isSchema(name: string): boolean {
  return SCHEMA.has(name)
}

const SCHEMA: ReadonlySet<string> = new Set([
  '$metadata',
  'entitydefinitions',
  'globaloptionsetdefinitions',
  'relationshipdefinitions',
])

/**
 * Actions and entity sets that change or publish definitions: PublishXml, ImportSolution, InsertOptionValue,
 * UpdateStateValue, CreateCustomerRelationships, ProvisionLanguage, and more of their kind.
 */
const CHANGES_SCHEMA =
  /publish|solution|stageandupgrade|deleteandpromote|option(?:set|value)|^orderoption|(?:state|status)value|relationship|language|metadata|^createentity|^(?:entities|attributes|entitykeys)$/
