import type { Effect } from './effects.ts'

/**
 * What cached responses depend on: the rows of one entity set (its name in lower case), the rows of all entity sets
 * (`undefined`), or the definitions.
 */
export type Dependency = { readonly entitySet: string | undefined } | 'schema'

/**
 * Numbers that grow with each change. A response is valid only for the version at which it was requested. A change
 * therefore costs the same, however many responses are cached.
 */
export interface Versions {
  readonly of: (dependency: Dependency) => number
  /** The number of all changes; `undefined` while a batch is in progress, because the ends of its parts are unknown. */
  readonly count: () => number | undefined
  readonly changed: (effect: Effect) => void
  readonly schemaChanged: () => void
  /** Stops caching of everything that `effect` may change, until the returned function is called. */
  readonly suspend: (effect: Effect) => () => void
  /** The same for `milliseconds`. */
  readonly suspendFor: (effect: Effect, milliseconds: number) => void
  readonly isSuspended: (dependency: Dependency) => boolean
}

/** The most entity sets with a version of their own: callers choose the names. */
const MAX_ENTITY_SETS = 1000

/** Any entity set. */
const ANY = ''

/** @param now `performance.now` */
export function createVersions(now: () => number): Versions {
  const entitySets = new Map<string, number>()
  const suspended = new Set<Effect>()
  /** The end of each suspension, by entity set. */
  const suspendedUntil = new Map<string, number>()
  let schemaSuspendedUntil = 0
  let anySuspendedUntil = 0
  let rows = 0
  let schema = 0
  let count = 0

  return {
    of(dependency) {
      if (dependency === 'schema') return schema
      return dependency.entitySet === undefined ? count : rows + (entitySets.get(dependency.entitySet) ?? 0)
    },
    count: () => (suspended.size === 0 ? count : undefined),
    changed(effect) {
      count++
      if (effect.schema) schema++
      const name = keyIn(entitySets, effect)
      if (name === ANY) rows++
      else entitySets.set(name, (entitySets.get(name) ?? 0) + 1)
    },
    schemaChanged: () => void schema++,
    suspend(effect) {
      // A copy, because the same effect may be suspended twice.
      const one = { ...effect }
      suspended.add(one)
      return () => void suspended.delete(one)
    },
    suspendFor(effect, milliseconds) {
      const until = now() + milliseconds
      suspendedUntil.set(keyIn(suspendedUntil, effect), until)
      anySuspendedUntil = until
      if (effect.schema) schemaSuspendedUntil = until
    },
    isSuspended(dependency) {
      for (const effect of suspended) if (affects(effect, dependency)) return true
      if (dependency === 'schema') return now() < schemaSuspendedUntil
      if (suspendedUntil.size === 0) return false
      const { entitySet } = dependency
      if (entitySet === undefined) return now() < anySuspendedUntil
      return now() < Math.max(suspendedUntil.get(ANY) ?? 0, suspendedUntil.get(entitySet) ?? 0)
    },
  }
}

/** The key of `effect` in `names`, whose size is limited. */
function keyIn(names: ReadonlyMap<string, number>, { entitySet = ANY }: Effect): string {
  return names.has(entitySet) || names.size < MAX_ENTITY_SETS ? entitySet : ANY
}

function affects({ entitySet, schema }: Effect, dependency: Dependency): boolean {
  if (dependency === 'schema') return schema
  return entitySet === undefined || dependency.entitySet === undefined || entitySet === dependency.entitySet
}
