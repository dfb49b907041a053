import { bareName } from '../config/rule.ts'
import { pathSegments } from '../odata/resource-path.ts'

/** What a write may change, by its method and URL. */
export interface Effect {
  /** The entity set whose rows it changes, in lower case; `undefined`: any entity set. */
  readonly entitySet: string | undefined
  /** Whether it may change definitions. */
  readonly schema: boolean
  /** Whether it may be an action with the name of an entity set. Only the response shows it. */
  readonly mayBeAction: boolean
}

/** The effect of a write whose target is unknown. */
const ANYTHING: Effect = { entitySet: undefined, schema: true, mayBeAction: false }

/**
 * What a write may change. The side effects of a write are not included: nested rows of a deep insert, rows that a
 * deletion or a new owner reaches by a cascade, and changes by plug-ins and workflows.
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
  // A name that begins with `$` refers to another part of the batch, and so to an unknown entity set.
  // What a user may read depends on rows of users, teams and roles, and of what these belong to.
  const isUnknown = segments!.length > 1 || first.name.includes('.') || name.startsWith('$') || GRANTS_RIGHTS.test(name)
  if (schema || isUnknown) {
    return { entitySet: undefined, schema, mayBeAction: false }
  }
  return { entitySet: name, schema, mayBeAction: method === 'POST' && !first.hasParentheses }
}

/** Entity sets whose rows decide who may read which rows and columns. */
const GRANTS_RIGHTS =
  /^(?:systemuser|team|role|businessunit|position|organization|hierarchysecurity|fieldsecurity|fieldpermission|principalobject|privilege)/

/**
 * Whether a resource holds definitions.
 *
 * @param name the first segment of the path, in lower case
 */
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
 * UpdateStateValue, CreateCustomerRelationships, ProvisionLanguage, and similar ones.
 */
const CHANGES_SCHEMA =
  /publish|solution|stageandupgrade|deleteandpromote|option(?:set|value)|^orderoption|(?:state|status)value|relationship|language|metadata|^createentity|^(?:entities|attributes|entitykeys)$/
