import { LRUCache } from 'lru-cache'

import type { Target } from '../config/schema.ts'
import type { RequestRecord } from '../dynamics/request-record.ts'
import type { Send } from '../dynamics/send.ts'
import type { LookupResult, FoundUser } from './pick-user.ts'
import type { PreloadedUsers, PreloadState } from './preloaded-users.ts'
import type { SharedUsers } from './shared-users.ts'
import { userLookup } from './user-lookup.ts'
import type { NamedUser } from './user-query.ts'

/** Finds the users of one environment by e-mail address or Entra object id. */
export interface UserDirectory {
  /**
   * The user that `named` means. Synchronous if the user is in memory.
   *
   * @param parent the request whose user it is; log lines about the lookup have its ids
   *
   * @throws UserUnknown, UserDisabled, UserAmbiguous, UserNotPerson (403), UserLookupFailed (502),
   *   UserLookupTooSlow (504), or the error that prevented the lookup
   */
  readonly find: (named: NamedUser, parent: RequestRecord) => FoundUser | Promise<FoundUser>
  /** The number of cached users, and of cached addresses and ids without a user. */
  readonly cached: () => { readonly users: number; readonly unknown: number }
  /** The state of preloading, if the settings enable it. */
  readonly preloadState?: () => PreloadState
}

/** How often the caches read the clock, in milliseconds: each time costs a timer. */
const TTL_RESOLUTION_MS = 100

/**
 * Caches users, and in a separate cache the addresses and ids without a user, so that invented ones never evict known
 * users. Concurrent lookups of one address or id share one request. Failures are not cached.
 */
export function userDirectory(
  send: Send,
  target: Pick<Target, 'url' | 'impersonation' | 'credential'>,
  shared?: SharedUsers,
  preloaded?: PreloadedUsers,
): UserDirectory {
  const { impersonation } = target
  const lookUp = userLookup(send, target)
  // Created with the first entry: a cache allocates memory for all its entries at once, 1 MB for 10,000.
  let known: LRUCache<string, FoundUser> | undefined
  let notFound: LRUCache<string, Error> | undefined
  const pending = new Map<string, Promise<FoundUser>>()
  shared?.onRefused((key) => known?.delete(key))

  return {
    find: (named, parent) => {
      const key = 'email' in named ? named.email.toLowerCase() : named.objectId
      const user = preloaded?.find(named)
      if (user instanceof Promise) return user.then((found) => found ?? findUncached(named, key, parent))
      return user ?? findUncached(named, key, parent)
    },
    cached: () => ({
      users: preloaded?.inUse() === true ? preloaded.state().users : (known?.size ?? 0),
      unknown: notFound?.size ?? 0,
    }),
    ...(preloaded === undefined ? {} : { preloadState: preloaded.state }),
  }

  function findUncached(named: NamedUser, key: string, parent: RequestRecord): FoundUser | Promise<FoundUser> {
    // A cached lookup may be older than the preloaded users.
    const user = preloaded?.inUse() === true ? undefined : known?.get(key)
    if (user !== undefined) return user
    const refusal = notFound?.get(key)
    if (refusal !== undefined) throw refusal
    let lookup = pending.get(key)
    if (lookup === undefined) {
      lookup = search(named, key, parent).finally(() => pending.delete(key))
      pending.set(key, lookup)
    }
    return lookup
  }

  async function search(named: NamedUser, key: string, parent: RequestRecord): Promise<FoundUser> {
    const found = preloaded?.inUse() === true ? undefined : await shared?.find(key, named)
    if (found !== undefined) remember(key, found, found.remainingMs)
    const { user, fault } = found ?? (await lookUpAndRemember(named, key, parent))
    if (fault !== undefined) throw fault
    return user
  }

  function remember(key: string, { user, fault }: LookupResult, ttl: number): void {
    if (fault === undefined) {
      known ??= createCache(impersonation.users)
      known.set(key, user, { ttl })
    } else {
      notFound ??= createCache(impersonation.users)
      notFound.set(key, fault, { ttl })
    }
  }

  async function lookUpAndRemember(named: NamedUser, key: string, parent: RequestRecord): Promise<LookupResult> {
    const finding = await lookUp(named, parent)
    const { fault } = finding
    const ttl = fault === undefined ? impersonation.remember : impersonation.rememberUnknown
    if (ttl > 0 && (fault !== undefined || preloaded?.inUse() !== true)) {
      remember(key, finding, ttl)
      shared?.found(key, finding, ttl)
    }
    return finding
  }
}

function createCache<V extends object>(max: number): LRUCache<string, V> {
  return new LRUCache({ max, ttlResolution: TTL_RESOLUTION_MS })
}
