import { OwnError } from '../logging/own-error.ts'
import { isUserId } from '../odata/guid.ts'
import { pickUser } from './pick-user.ts'
import type { FoundUser } from './pick-user.ts'
import { userColumns } from './user-query.ts'
import type { EmailColumns, NamedUser } from './user-query.ts'

/** The rows of `systemusers`, by e-mail address and object id. */
export interface UserIndex {
  /**
   * Applies new, changed and deleted rows.
   *
   * @throws OwnError for a row without an id: the index would be incomplete
   */
  readonly apply: (rows: readonly unknown[]) => void
  /** The user that `named` means; `undefined` if there is none, or the rows are ambiguous. */
  readonly find: (named: NamedUser) => FoundUser | undefined
  readonly size: () => number
}

type Row = Readonly<Record<string, unknown>>

/**
 * Makes an empty index. It includes disabled and application users, because the meaning of an address depends on all
 * rows that have it. A row uses 350 to 500 bytes (`bench/preloaded-users.ts`).
 */
export function createUserIndex(emailColumns: EmailColumns): UserIndex {
  const columns = userColumns(emailColumns).split(',')
  const keyColumns = ['azureactivedirectoryobjectid', ...emailColumns]
  const byId = new Map<string, Row>()
  /** One row, or several with the same address or id. */
  const byKey = new Map<string, Row | readonly Row[]>()
  /** The users that were found since rows last changed, by the same keys. */
  const picked = new Map<string, FoundUser>()

  return {
    apply(rows) {
      if (rows.length > 0) picked.clear()
      for (const row of rows) {
        const change = row as Row
        const id = isDeleted(change) ? change['id'] : change['systemuserid']
        if (!isUserId(id)) throw new OwnError("a row of the users' table has no id")
        const key = id.toLowerCase()
        remove(key)
        if (!isDeleted(change)) add(key, change)
      }
    },
    find(named) {
      const key = 'email' in named ? named.email.toLowerCase() : named.objectId
      const known = picked.get(key)
      if (known !== undefined) return known
      const found = byKey.get(key)
      if (found === undefined) return undefined
      const { user } = pickUser(listOf(found), named, emailColumns)
      if (user !== undefined) picked.set(key, user)
      return user
    },
    size: () => byId.size,
  }

  function add(id: string, change: Row): void {
    const row: Row = Object.fromEntries(columns.map((column) => [column, change[column] ?? null]))
    byId.set(id, row)
    for (const key of keysOf(row)) {
      const existing = byKey.get(key)
      byKey.set(key, existing === undefined ? row : [...listOf(existing), row])
    }
  }

  function remove(id: string): void {
    const row = byId.get(id)
    if (row === undefined) return
    byId.delete(id)
    for (const key of keysOf(row)) {
      const remaining = listOf(byKey.get(key)!).filter((one) => one !== row)
      if (remaining.length === 0) byKey.delete(key)
      else byKey.set(key, remaining.length === 1 ? remaining[0]! : remaining)
    }
  }

  /** The addresses and the object id of the row, in lower case. */
  function keysOf(row: Row): Set<string> {
    const keys = new Set<string>()
    for (const column of keyColumns) {
      const value = row[column]
      if (typeof value === 'string' && value.trim() !== '') keys.add(value.trim().toLowerCase())
    }
    return keys
  }
}

function listOf(found: Row | readonly Row[]): readonly Row[] {
  return Array.isArray(found) ? (found as readonly Row[]) : [found as Row]
}

/** Whether an entry of a delta response is a deleted row. */
function isDeleted(change: Row): boolean {
  return 'reason' in change && !('systemuserid' in change)
}
