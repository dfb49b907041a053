import type { Preset } from '../config/rule.ts'

/** The input of a preset: the method (HEAD and OPTIONS count as GET), and the names of the path's segments. */
interface PresetRequest {
  readonly kind: string
  readonly path: readonly { readonly name: string }[]
}

/** Whether a preset refuses a request. */
export function presetRefuses({ effect }: Preset, { kind, path }: PresetRequest): boolean {
  switch (effect) {
    case 'read-only':
      return kind !== 'GET'
    case 'no-delete':
      return kind === 'DELETE' || (kind === 'POST' && path.some(({ name }) => DELETE_ACTIONS.test(name)))
    case 'no-metadata-writes':
      return (
        kind !== 'GET' && (DEFINITIONS.has(path[0]!.name) || path.some(({ name }) => DEFINITION_ACTIONS.test(name)))
      )
  }
}

/** Actions that delete rows. */
const DELETE_ACTIONS = /^(?:bulk)?delete/

/** Entity sets that contain definitions, or import them. */
const DEFINITIONS: ReadonlySet<string> = new Set([
  '$metadata',
  'entitydefinitions',
  'relationshipdefinitions',
  'globaloptionsetdefinitions',
  'managedpropertydefinitions',
  'entities',
  'attributes',
  'relationships',
  'optionsets',
  'entitykeys',
  'solutions',
  'solutioncomponents',
  'publishers',
  'stringmaps',
])

/** Actions that change, import or publish definitions. */
const DEFINITION_ACTIONS = new RegExp(
  `^(?:${[
    'publish(?:all)?xml(?:async)?',
    'create(?:entity|attribute|relationship|onetomany|manytomany|optionset|customerrelationships|entitykey).*',
    'createpolymorphiclookupattribute.*',
    '(?:insert|update|delete|order)(?:option|optionvalue|optionset|statusvalue|statevalue)',
    '(?:update|delete)(?:entity|attribute|relationship|entitykey)',
    '(?:add|remove|update)solutioncomponent',
    '(?:import|stage|stageandupgrade|deleteandpromote|clone|cloneas|uninstall).*solution.*',
    'cloneaspatch|cloneassolution|deleteandpromote(?:async)?',
    'import(?:translation|fieldtranslation|mappings).*',
    'setautonumberseed|(?:de)?provisionlanguage(?:async)?|reactivateentitykey|convertdatetimebehavior',
  ].join('|')})$`,
)
