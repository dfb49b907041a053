import { newGuid } from './guid.ts'
import { entityTypes, typeOf } from './schema.ts'

/** The value of a column. Dates are ISO text, GUIDs lower-case text; `files.ts` has the contents of files. */
export type Value = null | boolean | number | bigint | string

/** One row. It is immutable: an update replaces it with a new object. */
export type Row = Readonly<Record<string, Value>>

/** A deleted row, for delta links. */
export interface Tombstone {
  readonly id: string
  readonly version: bigint
}

/** The rows of one entity set, in the order in which they were created. */
export interface Table {
  readonly rows: Map<string, Row>
  readonly deleted: Tombstone[]
}

/** A committed write. */
export interface Execution {
  readonly method: string
  readonly entitySet: string
  readonly id: string
}

/** The data of the emulated environment. */
export interface Store {
  table(set: string): Table
  /** Many-to-many pairs, written `id/id`. */
  pairs(name: string): Set<string>
  insert(set: string, row: Row): Row
  replace(set: string, before: Row, changes: Row): Row
  remove(set: string, before: Row): void
  relate(name: string, pair: string, linked: boolean): void
  /** Records a committed write. A rollback of its transaction removes it. */
  executed(execution: Execution): void
  readonly executions: Execution[]
  version(): bigint
  /** Runs `work`. When it throws, or `keep` rejects its result, all its writes are rolled back. */
  transaction<T>(work: () => T, keep?: (result: T) => boolean): T
}

/** An empty store. Row versions start beyond 2^53, which exposes clients that read them as doubles. */
export function createStore(): Store {
  const tables = new Map<string, Table>([...entityTypes.keys()].map((set) => [set, { rows: new Map(), deleted: [] }]))
  const relations = new Map<string, Set<string>>()
  const executions: Execution[] = []
  let journal: (() => void)[] | undefined
  let lastVersion = 638_751_549_947_120_000n

  const store: Store = {
    executions,
    table(set) {
      const found = tables.get(set)
      if (found === undefined) throw new Error(`There is no entity set ${set}`)
      return found
    },
    pairs(name) {
      const found = relations.get(name) ?? new Set()
      relations.set(name, found)
      return found
    },
    insert(set, row) {
      const { rows } = store.table(set)
      const { key } = typeOf(set)
      const id = String(row[key] ?? newGuid())
      const whole = { ...row, [key]: id, versionnumber: ++lastVersion }
      rows.set(id, whole)
      journal?.push(() => rows.delete(id))
      return whole
    },
    replace(set, before, changes) {
      const { rows } = store.table(set)
      const id = String(before[typeOf(set).key])
      const after = { ...before, ...changes, versionnumber: ++lastVersion }
      rows.set(id, after)
      journal?.push(() => rows.set(id, before))
      return after
    },
    remove(set, before) {
      const table = store.table(set)
      const id = String(before[typeOf(set).key])
      const order = [...table.rows]
      table.rows.delete(id)
      table.deleted.push({ id, version: ++lastVersion })
      journal?.push(() => {
        table.rows.clear()
        for (const [each, row] of order) table.rows.set(each, row)
        table.deleted.pop()
      })
    },
    relate(name, pair, linked) {
      const set = store.pairs(name)
      const before = set.has(pair)
      const change = (to: boolean): void => void (to ? set.add(pair) : set.delete(pair))
      change(linked)
      journal?.push(() => change(before))
    },
    executed(execution) {
      executions.push(execution)
      journal?.push(() => executions.pop())
    },
    version: () => lastVersion,
    transaction(work, keep) {
      // A part of a change set belongs to the transaction of the change set.
      if (journal !== undefined) return work()
      const written: (() => void)[] = (journal = [])
      let kept = false
      try {
        const result = work()
        kept = keep?.(result) ?? true
        return result
      } finally {
        journal = undefined
        if (!kept) for (const undo of written.reverse()) undo()
      }
    },
  }
  return store
}
