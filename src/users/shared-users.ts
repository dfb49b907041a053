import type { Target } from '../config/schema.ts'
import { UserAmbiguous, UserDisabled, UserNotPerson, UserUnknown } from '../errors.ts'
import { isUserId } from '../odata/guid.ts'
import type { SharedState } from '../replicas/shared-state.ts'
import type { LookupResult, FoundUser } from './pick-user.ts'
import { subjectOf, userColumns } from './user-query.ts'
import type { NamedUser } from './user-query.ts'

/** Findings about users, shared by all replicas. */
export interface SharedUsers {
  /** The finding of another replica about the user that a request names, and its remaining lifetime in ms. */
  readonly find: (key: string, named: NamedUser) => Promise<SharedFinding | undefined>
  /** Shares a finding for `ttl` milliseconds. */
  readonly found: (key: string, finding: LookupResult, ttl: number) => void
  /** Calls `listener` with the keys of users that another replica refused. */
  readonly onRefused: (listener: (key: string) => void) => void
}

type SharedFinding = LookupResult & { readonly remainingMs: number }

/** Refusals that are shared, by their names in messages. */
const FAULTS = {
  unknown: UserUnknown,
  disabled: UserDisabled,
  ambiguous: UserAmbiguous,
  'not a person': UserNotPerson,
} as const

/** The shared value for an address or id. */
interface Entry {
  readonly user?: FoundUser
  readonly fault?: string
}

const REFUSED_TOPIC = 'users refused'

/**
 * Shares users through `state`; `undefined` if the gateway runs alone. Only replicas with the same lookup settings
 * share their findings.
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
      // A cache keeps an entry with a lifetime of 0 forever.
      const remainingMs = Math.max(1, found.remainingMs)
      if (fault !== undefined && Object.hasOwn(FAULTS, fault)) {
        return { fault: new FAULTS[fault as keyof typeof FAULTS](subjectOf(named)), remainingMs: remainingMs }
      }
      return isUserId(user?.systemUserId) ? { user: user!, remainingMs: remainingMs } : undefined
    },
    found(key, { user, fault }, ttl) {
      const name = Object.entries(FAULTS).find(([, Fault]) => fault instanceof Fault)?.[0]
      const entry: Entry = user === undefined ? { fault: name! } : { user }
      void state.set(entryOf(key), JSON.stringify(entry), ttl)
      if (fault !== undefined) state.publish(REFUSED_TOPIC, key, 0)
    },
    onRefused: (listener) => state.subscribe(REFUSED_TOPIC, listener),
  }
}
