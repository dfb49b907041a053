import type { Effect } from './effects.ts'

/**
 * What kept responses depend on: the rows of an entity set, by its name in lower case, those of all (`undefined`), or the
 * definitions.
 */
export type Subject = { readonly entitySet: string | undefined } | 'schema'

/**
 * Numbers that grow with each change of what responses depend on. A response that was sent for at one version is of no
 * use at another, so that a change costs the same however many responses there are.
 */
export interface Versions {
  readonly of: (subject: Subject) => number
  /** How many changes there have been of anything; `undefined` while writes end of which nobody sees when. */
  readonly count: () => number | undefined
  readonly changed: (effect: Effect) => void
  readonly schemaChanged: () => void
  /** Until the returned function is called, nothing that `effect` may change is kept or answered from memory. */
  readonly suspend: (effect: Effect) => () => void
  /** The same for `milliseconds`. */
  readonly suspendFor: (effect: Effect, milliseconds: number) => void
  readonly isSuspended: (subject: Subject) => boolean
}

/** Entity sets that are told apart at most: callers choose their names. */
const MAX_ENTITY_SETS = 1000

/** Any entity set. */
const ANY = ''

/** @param now `performance.now` */
export function createVersions(now: () => number): Versions {
  const entitySets = new Map<string, number>()
  const suspended = new Set<Effect>()
  /** Until when, by entity set. */
  const suspendedUntil = new Map<string, number>()
  let schemaSuspendedUntil = 0
  let anySuspendedUntil = 0
  let rows = 0
  let schema = 0
  let count = 0

  return {
    of(subject) {
      if (subject === 'schema') return schema
      return subject.entitySet === undefined ? count : rows + (entitySets.get(subject.entitySet) ?? 0)
    },
    count: () => (suspended.size === 0 ? count : undefined),
    changed(effect) {
      count++
      if (effect.schema) schema++
      const name = nameIn(entitySets, effect)
      if (name === ANY) rows++
      else entitySets.set(name, (entitySets.get(name) ?? 0) + 1)
    },
    schemaChanged: () => void schema++,
    suspend(effect) {
      // An object of its own: the same effect may be suspended twice.
      const one = { ...effect }
      suspended.add(one)
      return () => void suspended.delete(one)
    },
    suspendFor(effect, milliseconds) {
      const until = now() + milliseconds
      suspendedUntil.set(nameIn(suspendedUntil, effect), until)
      anySuspendedUntil = until
      if (effect.schema) schemaSuspendedUntil = until
    },
    isSuspended(subject) {
      for (const effect of suspended) if (concerns(effect, subject)) return true
      if (subject === 'schema') return now() < schemaSuspendedUntil
      if (suspendedUntil.size === 0) return false
      const { entitySet } = subject
      if (entitySet === undefined) return now() < anySuspendedUntil
      return now() < Math.max(suspendedUntil.get(ANY) ?? 0, suspendedUntil.get(entitySet) ?? 0)
    },
  }
}

/** Under which name `effect` is noted in `names`, which has an end. */
function nameIn(names: ReadonlyMap<string, number>, { entitySet = ANY }: Effect): string {
  return names.has(entitySet) || names.size < MAX_ENTITY_SETS ? entitySet : ANY
}

function concerns({ entitySet, schema }: Effect, subject: Subject): boolean {
  if (subject === 'schema') return schema
  return entitySet === undefined || subject.entitySet === undefined || entitySet === subject.entitySet
}
