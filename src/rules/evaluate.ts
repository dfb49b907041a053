import { bareName, kindOf } from '../config/rule.ts'
import type { Permission, Rule } from '../config/rule.ts'
import { isBatch } from '../odata/batch-path.ts'
import { navigationOf } from '../odata/navigation.ts'
import { accessOf, isQuery } from './access.ts'
import type { Access } from './access.ts'
import { mayLeadTo, listed, objection, refused } from './objection.ts'
import {
  allowsAllReading,
  covers,
  deniesReading,
  isNamed,
  isPermission,
  isNamedExactly,
  namesEntitySet,
  namesFirst,
} from './permission.ts'
import { presetRefuses } from './presets.ts'
import { isNavigation, segmentsOf } from './segments.ts'

/** A request, or a part of a `$batch`. */
export interface AccessRequest {
  readonly method: string
  /** Raw, below the API root, with its first slash. */
  readonly resourcePath: string
  /** Raw, with or without its question mark. */
  readonly query: string
  /** Whether a write returns the row: `Prefer: return=representation`. */
  readonly wantsRow?: boolean
}

/** Is given the `allow` that lets a request through, or would if nothing else refused it. */
type OnAllowed = (rule: Permission) => void

/**
 * Why `rules` refuse a request, as a sentence with the rule; `undefined` when they allow it.
 *
 * A `deny` takes precedence over every `allow`. With an `allow`, everything that none of them covers is refused.
 * Without metadata the target of a navigation property is unknown, so when rules restrict reads, each must be named.
 */
export function denialReason(
  request: AccessRequest,
  rules: readonly Rule[],
  allowed: OnAllowed = () => undefined,
): string | undefined {
  const { method, resourcePath, query } = request
  if (rules.length === 0) return undefined
  const path = segmentsOf(resourcePath)
  if (path === undefined) return objection(method, resourcePath, 'its path cannot be read')
  // The operations inside a batch are checked one by one.
  if (path.length === 1 && method === 'POST' && isBatch(resourcePath)) return undefined

  // A write that returns its row also reads it.
  const reads = request.wantsRow === true && (method === 'PATCH' || method === 'PUT')
  return (
    objectionToAny(accessOf(method, path), query, rules, allowed) ??
    (reads ? objectionToAny(accessOf('GET', path), query, rules, allowed) : undefined)
  )
}

function objectionToAny(access: Access, query: string, rules: readonly Rule[], allowed: OnAllowed): string | undefined {
  const { method, path } = access
  const permissions = rules.filter(isPermission)
  for (const rule of rules) {
    if (!isPermission(rule) && presetRefuses(rule, { kind: kindOf(method), path })) {
      return refused(method, path[0]!.written, rule)
    }
  }
  const denies = permissions.filter(({ effect }) => effect === 'deny')
  const allows = permissions.filter(({ effect }) => effect === 'allow')
  return permissions.length === 0
    ? undefined
    : (denied(access, denies) ??
        deniedBeyond(access, query, denies, allows) ??
        notAllowed(access, query, allows, allowed) ??
        uncheckedBodyQuery(access, denies, allows))
}

/** A rule that refuses the path. */
function denied({ kinds, method, path }: Access, denies: readonly Permission[]): string | undefined {
  for (const rule of denies) {
    if (!kinds.some((kind) => covers(rule, kind))) continue
    const hit = path.find(({ name }, index) =>
      rule.names.some(({ first, below }) => {
        if (below === undefined) return first === '*' || first === name
        return isNavigation(path, index) && (below === '*' || below === name)
      }),
    )
    if (hit !== undefined) return refused(method, hit.written, rule)
  }
  return undefined
}

/** A rule that refuses the possible target of a navigation property in the path or the query. */
function deniedBeyond(
  access: Access,
  query: string,
  denies: readonly Permission[],
  allows: readonly Permission[],
): string | undefined {
  const { kind, kinds, method, path } = access
  const writes = denies.find((rule) => kinds.some((one) => covers(rule, one)) && rule.names.some(namesEntitySet))
  if (writes !== undefined) {
    // `$entity`, `$crossjoin` and images lead to any entity set.
    const beyond = path.find(({ name }, index) =>
      index === 0
        ? name.startsWith('$') && name !== '$metadata'
        : isNavigation(path, index) && !isNamedExactly(name, access, kind, allows),
    )
    if (beyond !== undefined) return mayLeadTo(method, beyond.written, writes)
  }

  const reads = denies.filter(deniesReading)
  if (reads.length === 0) return undefined
  const navigation = navigationOf(query)
  if (navigation === undefined) return objection(method, path[0]!.written, 'its query cannot be read')
  for (const rule of reads) {
    const isUnknown = rule.names.some(namesEntitySet)
    if (navigation.query !== undefined) return mayLeadTo(method, navigation.query, rule)
    const names = rule.names.map(({ first, below }) => below ?? first)
    const name = navigation.names.find(
      (one) =>
        one === '*' ||
        names.includes('*') ||
        names.includes(bareName(one)) ||
        ((isUnknown || navigation.entities.includes(one)) && !isNamedExactly(bareName(one), access, 'GET', allows)),
    )
    if (name !== undefined) return mayLeadTo(method, name, rule)
  }
  return undefined
}

/** The reason when no rule allows the request. */
function notAllowed(
  access: Access,
  query: string,
  allows: readonly Permission[],
  allowed: OnAllowed,
): string | undefined {
  if (allows.length === 0) return undefined
  const { kind, method, path } = access
  const none = (what: string): string => objection(method, what, `none of its rules allows it (${listed(allows)})`)
  const operation = path.findIndex(({ qualified }, index) => qualified && index > 0)
  const kinds = operation === -1 ? [kind] : [kind, 'GET']
  const first = path[0]!
  const begins = allows.find(
    (rule) => kinds.some((one) => covers(rule, one)) && rule.names.some((name) => namesFirst(name, first.name)),
  )
  if (begins === undefined) return none(first.written)
  allowed(begins)
  const beyond = path.find(
    ({ name, qualified }, index) =>
      index > 0 && (isNavigation(path, index) || qualified) && !isNamed(name, access, kind, allows),
  )
  if (beyond !== undefined) return none(beyond.written)
  if (allows.some(allowsAllReading)) return undefined

  const navigation = navigationOf(query)
  if (navigation === undefined) return none('with a query that cannot be read')
  const name = navigation.query ?? navigation.names.find((one) => !isNamed(bareName(one), access, 'GET', allows))
  return name === undefined ? undefined : none(name)
}

/** The reason for a query in the body, where navigation properties are not checked. */
function uncheckedBodyQuery(
  { method, path }: Access,
  denies: readonly Permission[],
  allows: readonly Permission[],
): string | undefined {
  const isRestricted = denies.some(deniesReading) || (allows.length > 0 && !allows.some(allowsAllReading))
  return isQuery(path) && isRestricted ? objection(method, `${path[0]!.written}/$query`, IN_THE_BODY) : undefined
}

const IN_THE_BODY = 'its query is in the body; send it as a GET, in a $batch if need be'
