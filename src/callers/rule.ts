import { bareName } from '../config/rule.ts'
import type { Name, Permission, Preset, Rule } from '../config/rule.ts'
import { navigationOf } from '../odata/navigation.ts'
import { rawSegments } from '../odata/path-segments.ts'

/** What a request, or a part of a `$batch`, asks for. */
export interface Wish {
  readonly method: string
  /** Raw, below the API root, with its first slash. */
  readonly resourcePath: string
  /** Raw, with or without its question mark. */
  readonly query: string
}

/**
 * Why `rules` do not let a request through, as a sentence that names the rule; `undefined` when they do.
 *
 * A `deny` wins over every `allow`; once there is an `allow`, all that none of them names is refused. Without metadata
 * nobody can tell where a navigation property leads; so where rules restrict what may be read, each must be named.
 */
export function objectionTo({ method, resourcePath, query }: Wish, rules: readonly Rule[]): string | undefined {
  if (rules.length === 0) return undefined
  const path = segmentsOf(resourcePath)
  const ask = { method, kind: method === 'HEAD' || method === 'OPTIONS' ? 'GET' : method, path }
  if (path === undefined) return objection(method, resourcePath, 'its path cannot be read')
  // What is inside a batch is judged part by part.
  if (path.length === 1 && path[0]!.name === '$batch' && method === 'POST') return undefined

  const asked = { ...ask, path }
  const permissions = rules.filter(isPermission)
  for (const rule of rules) {
    if (!isPermission(rule) && presetRefuses(rule, asked)) return objection(method, path[0]!.written, `the rule "${rule.text}" refuses it`)
  }
  const denies = permissions.filter(({ effect }) => effect === 'deny')
  const allows = permissions.filter(({ effect }) => effect === 'allow')
  return permissions.length === 0 ? undefined
    : denied(asked, denies) ?? deniedBeyond(asked, query, denies, allows) ?? notAllowed(asked, query, allows)
}

/** One segment of a path. */
interface Segment {
  /** In small letters, without namespace and key. */
  readonly name: string
  readonly written: string
  /** Whether its namespace is written: a function, an action or a type. */
  readonly qualified: boolean
}

interface Asked {
  readonly method: string
  /** The method, HEAD and OPTIONS taken for GET. */
  readonly kind: string
  readonly path: readonly Segment[]
}

function isPermission(rule: Rule): rule is Permission {
  return rule.effect === 'allow' || rule.effect === 'deny'
}

function presetRefuses({ effect }: Preset, { kind, path }: Asked): boolean {
  switch (effect) {
    case 'read-only': return kind !== 'GET'
    case 'no-delete': return kind === 'DELETE' || (kind === 'POST' && path.some(({ name }) => /^(?:bulk)?delete/.test(name)))
    case 'no-metadata-writes':
      return kind !== 'GET' && (METADATA_SETS.has(path[0]!.name) || path.some(({ name }) => METADATA_ACTIONS.test(name)))
  }
}

const METADATA_SETS: ReadonlySet<string> = new Set([
  '$metadata', 'entitydefinitions', 'relationshipdefinitions', 'globaloptionsetdefinitions', 'managedpropertydefinitions', 'entities', 'attributes',
  'relationships', 'optionsets', 'entitykeys', 'solutions', 'solutioncomponents', 'publishers', 'stringmaps',
])

/** Actions that change, bring in or publish definitions. */
const METADATA_ACTIONS = new RegExp(`^(?:${[
  'publish(?:all)?xml(?:async)?', 'create(?:entity|attribute|relationship|onetomany|manytomany|optionset|customerrelationships|polymorphiclookupattribute|entitykey).*',
  '(?:insert|update|delete|order)(?:option|optionvalue|optionset|statusvalue|statevalue)', 'delete(?:entity|attribute|relationship|entitykey)',
  'update(?:entity|attribute|relationship|optionset|solutioncomponent)', '(?:import|stage|stageandupgrade|deleteandpromote|cloneas|clone|uninstall).*solution.*',
  'cloneaspatch|cloneassolution|deleteandpromote(?:async)?', '(?:add|remove)solutioncomponent', 'import(?:translation|fieldtranslation|mappings).*',
  'setautonumberseed', 'provisionlanguage(?:async)?', 'deprovisionlanguage', 'reactivateentitykey', 'convertdatetimebehavior',
].join('|')})$`)

/** A rule that refuses what the path names. */
function denied({ kind, method, path }: Asked, denies: readonly Permission[]): string | undefined {
  for (const rule of denies) {
    if (!covers(rule, kind)) continue
    const hit = path.find((segment, index) => rule.names.some(({ first, below }) =>
      below === undefined ? first === '*' || first === segment.name : index > 0 && isNavigation(path, index) && (below === '*' || below === segment.name)))
    if (hit !== undefined) return objection(method, hit.written, `the rule "${rule.text}" refuses it`)
  }
  return undefined
}

/** A rule that refuses what a navigation property of the path or the query may lead to. */
function deniedBeyond(asked: Asked, query: string, denies: readonly Permission[], allows: readonly Permission[]): string | undefined {
  const { kind, method, path } = asked
  const writes = denies.find((rule) => covers(rule, kind) && rule.names.some(namesASet))
  const strange = writes !== undefined && path[0]!.name.startsWith('$') && path[0]!.name !== '$metadata' ? path[0] : undefined
  const beyond = strange ?? path.find((segment, index) => isNavigation(path, index) && !isSpelt(segment.name, asked, kind, allows))
  if (writes !== undefined && beyond !== undefined) return leads(method, beyond.written, writes)

  const reads = denies.filter((rule) => covers(rule, 'GET') && rule.names.some((name) => namesASet(name) || name.below !== undefined))
  if (reads.length === 0) return undefined
  const navigation = navigationOf(query)
  if (navigation === undefined) return objection(method, path[0]!.written, 'its query cannot be read')
  for (const rule of reads) {
    const isUnknown = rule.names.some(namesASet)
    if (isUnknown && navigation.query !== undefined) return leads(method, navigation.query, rule)
    const name = navigation.names.find((one) => rule.names.some(({ first, below }) => [below ?? first, '*'].includes(bareName(one)) || below === '*')
      || (isUnknown && !isSpelt(bareName(one), asked, 'GET', allows)))
    if (name !== undefined) return leads(method, name, rule)
  }
  return undefined
}

/** That nothing allows what is asked. */
function notAllowed(asked: Asked, query: string, allows: readonly Permission[]): string | undefined {
  if (allows.length === 0) return undefined
  const { kind, method, path } = asked
  const none = (what: string): string => objection(method, what, `none of its rules allows it (${listed(allows)})`)
  const operation = path.findIndex(({ qualified }, index) => qualified && index > 0)
  const kinds = operation === -1 ? [kind] : [kind, 'GET']
  if (!allows.some((rule) => kinds.some((one) => covers(rule, one)) && rule.names.some((name) => namesFirst(name, path[0]!.name)))) return none(path[0]!.written)
  const beyond = path.find((segment, index) => index > 0 && (isNavigation(path, index) || segment.qualified) && !isNamed(segment.name, asked, kind, allows))
  if (beyond !== undefined) return none(beyond.written)
  if (allows.some((rule) => covers(rule, 'GET') && rule.names.some(({ first }) => first === '*'))) return undefined

  const navigation = navigationOf(query)
  if (navigation === undefined) return none('with a query that cannot be read')
  const name = navigation.query ?? navigation.names.find((one) => !isNamed(bareName(one), asked, 'GET', allows))
  return name === undefined ? undefined : none(name)
}

/** Whether an `allow` names what lies below: as `accounts/name`, as `accounts/*`, or by itself. */
function isNamed(name: string, { path }: Asked, kind: string, allows: readonly Permission[]): boolean {
  return allows.some((rule) => covers(rule, kind) && rule.names.some(({ first, below }) =>
    below === undefined ? first === '*' || first === name : first === path[0]!.name && (below === '*' || below === name)))
}

/** Whether an `allow` names what lies below itself, letter by letter: the operator knows where it leads. */
function isSpelt(name: string, { path }: Asked, kind: string, allows: readonly Permission[]): boolean {
  return allows.some((rule) => covers(rule, kind) && rule.names.some(({ first, below }) =>
    below === undefined ? first === name : first === path[0]!.name && below === name))
}

function namesFirst({ first, below }: Name, name: string): boolean {
  return (below === undefined || below === '*') && (first === '*' || first === name)
}

/** Whether rows of an entity set are meant, which navigation properties may lead to. */
function namesASet({ first, below, operation }: Name): boolean {
  return !operation && below === undefined && first !== '*' && !first.startsWith('$')
}

function covers({ methods }: Permission, kind: string): boolean {
  return methods === undefined || methods.has(kind)
}

/** Whether a segment may lead to another entity set: not what is `$…`, qualified, or a plain property's `/$value`. */
function isNavigation(path: readonly Segment[], index: number): boolean {
  const { name, qualified } = path[index]!
  return index > 0 && !qualified && !name.startsWith('$') && !(index === path.length - 2 && path[index + 1]!.name === '$value')
}

/** The segments of a path; the service document counts as `$metadata`. */
function segmentsOf(resourcePath: string): readonly Segment[] | undefined {
  const segments = rawSegments(resourcePath)?.filter(({ raw }) => raw !== '')
  if (segments === undefined) return undefined
  if (segments.length === 0) return [{ name: '$metadata', written: 'the service document', qualified: false }]
  try {
    return segments.map(({ plain }) => {
      const written = decodeURIComponent(plain).replace(/\(.*$/s, '')
      return { name: bareName(written), written, qualified: written.includes('.') }
    })
  } catch {
    return undefined
  }
}

function leads(method: string, name: string, rule: Rule): string {
  return objection(method, name, `it may lead to what the rule "${rule.text}" refuses`)
}

function objection(method: string, what: string, why: string): string {
  return `This caller may not ${method} ${what.slice(0, 100)}: ${why}.`
}

/** The first few rules, for a sentence. */
function listed(rules: readonly Rule[]): string {
  return [...rules.slice(0, 5).map(({ text }) => text), ...(rules.length > 5 ? ['…'] : [])].join('; ')
}
