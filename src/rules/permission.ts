import type { Name, Permission, Rule } from '../config/rule.ts'
import type { Access } from './access.ts'

/** Whether a rule is an `allow` or a `deny`, and not a preset. */
export function isPermission(rule: Rule): rule is Permission {
  return rule.effect === 'allow' || rule.effect === 'deny'
}

/** Whether a `deny` restricts reads beyond the path. */
export function deniesReading(rule: Permission): boolean {
  return covers(rule, 'GET') && rule.names.some((name) => namesEntitySet(name) || name.below !== undefined)
}

/** Whether an `allow` covers reads of everything. */
export function allowsAllReading(rule: Permission): boolean {
  return covers(rule, 'GET') && rule.names.some(({ first }) => first === '*')
}

/** Whether an `allow` covers a property: as `accounts/name`, as `accounts/*`, or by itself. */
export function isNamed(name: string, { path }: Access, kind: string, allows: readonly Permission[]): boolean {
  return allows.some(
    (rule) =>
      covers(rule, kind) &&
      rule.names.some(({ first, below }) =>
        below === undefined
          ? first === '*' || first === name
          : first === path[0]!.name && (below === '*' || below === name),
      ),
  )
}

/** Whether an `allow` has the exact name of a property, so the operator knows its target. */
export function isNamedExactly(name: string, { path }: Access, kind: string, allows: readonly Permission[]): boolean {
  return allows.some(
    (rule) =>
      covers(rule, kind) &&
      rule.names.some(({ first, below }) =>
        below === undefined ? first === name : first === path[0]!.name && below === name,
      ),
  )
}

/** Whether the name of a rule covers the first segment of a path. */
export function namesFirst({ first, below }: Name, name: string): boolean {
  return (below === undefined || below === '*') && (first === '*' || first === name)
}

/** Whether the name is an entity set, which navigation properties may refer to. */
export function namesEntitySet({ first, below, operation }: Name): boolean {
  return !operation && below === undefined && first !== '*' && !first.startsWith('$')
}

/** Whether a rule is about the method. */
export function covers({ methods }: Permission, kind: string): boolean {
  return methods === undefined || methods.has(kind)
}
