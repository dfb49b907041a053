import type { Target } from '../config/schema.ts'
import { UserAmbiguous, UserDisabled, UserNotPerson, UserUnknown } from '../errors.ts'
import { isUserId } from '../odata/guid.ts'
import type { SharedState } from '../replicas/shared-state.ts'
import type { LookupResult, FoundUser } from './pick-user.ts'
import { subjectOf, userColumns } from './user-query.ts'
import type { NamedUser } from './user-query.ts'

/** What other replicas have found out about users. */
export interface SharedUsers {
  /** What one of them has found for whom a request names, and the milliseconds for which that counts. */
  readonly find: (key: string, named: NamedUser) => Promise<SharedFinding | undefined>
  /** Shares what was found, for `ttl` milliseconds. */
  readonly found: (key: string, finding: LookupResult, ttl: number) => void
  /** Calls `listener` with the keys of users that are no longer enabled. */
  readonly onDisabled: (listener: (key: string) => void) => void
}

type SharedFinding = LookupResult & { readonly left: number }

/** Refusals that are remembered, by the names that replicas give them. */
const FAULTS = {
  unknown: UserUnknown,
  disabled: UserDisabled,
  ambiguous: UserAmbiguous,
  'not a person': UserNotPerson,
} as const

/** What is kept of an address or id. */
interface Entry {
  readonly user?: FoundUser
  readonly fault?: string
}

const DISABLED_TOPIC = 'users gone'

/**
 * Shares users by `state`; `undefined` where there are no other replicas. Only replicas that look users up in the same
 * way believe each other.
 */
export function shareUsers(
  state: SharedState,
  { impersonation }: Pick<Target, 'impersonation'>,
): SharedUsers | undefined {
  if (state.status() === undefined) return undefined
  const rules = JSON.stringify([userColumns(impersonation.emailColumns), impersonation])
  const entryOf = (key: string): string => `user ${rules} ${key}`
  return {
    async find(key, named) {
      const found = await state.get(entryOf(key))
      if (found === undefined) return undefined
      const { user, fault } = JSON.parse(found.value) as Entry
      // To a cache, no time at all is for ever.
      const left = Math.max(1, found.left)
      if (fault !== undefined && Object.hasOwn(FAULTS, fault)) {
        return { fault: new FAULTS[fault as keyof typeof FAULTS](subjectOf(named)), left }
      }
      return isUserId(user?.systemUserId) ? { user: user!, left } : undefined
    },
    found(key, { user, fault }, ttl) {
      const name = Object.entries(FAULTS).find(([, Fault]) => fault instanceof Fault)?.[0]
      const entry: Entry = user === undefined ? { fault: name! } : { user }
      void state.set(entryOf(key), JSON.stringify(entry), ttl)
      if (fault !== undefined) state.publish(DISABLED_TOPIC, key, 0)
    },
    onDisabled: (listener) => state.subscribe(DISABLED_TOPIC, listener),
  }
}
