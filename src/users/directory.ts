import { LRUCache } from 'lru-cache'

import { runsAsPerson } from '../config/credential.ts'
import type { Target } from '../config/schema.ts'
import { Cancellation } from '../dynamics/cancellation.ts'
import { lookupRecord } from '../dynamics/request-record.ts'
import type { RequestRecord } from '../dynamics/request-record.ts'
import { header } from '../dynamics/send.ts'
import type { Send } from '../dynamics/send.ts'
import {
  ImpersonationIgnored,
  isGatewayError,
  LimitHolds,
  retryLater,
  UserLookupFailed,
  UserLookupTooSlow,
} from '../errors.ts'
import { errorOf, explainDynamics } from '../explanations/dynamics-errors.ts'
import { inOneLine } from '../explanations/explanation.ts'
import { callerIdOf } from '../identity/caller-id.ts'
import type { User } from '../identity/caller.ts'
import { OwnError } from '../logging/own-error.ts'
import { retryAfter } from '../outbound/retry-after.ts'
import { lookupRequest } from './lookup-request.ts'
import { pickUser } from './pick-user.ts'
import type { LookupResult, FoundUser } from './pick-user.ts'
import type { PreloadedUsers, PreloadState } from './preloaded-users.ts'
import { rateLimiter } from './rate-limit.ts'
import type { SharedUsers } from './shared-users.ts'
import { userQuery } from './user-query.ts'
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

/** The largest response, in bytes: a page of a few short rows is far smaller. */
const MAX_RESPONSE_BYTES = 256 * 1024

/**
 * Caches users, and in a separate cache the addresses and ids without a user, so that invented ones never evict known
 * users. Concurrent lookups of one address or id share one request. Failures are not cached.
 *
 * Lookups run as the application user, without any header of the caller.
 */
export function userDirectory(
  send: Send,
  { url, impersonation, credential }: Pick<Target, 'url' | 'impersonation' | 'credential'>,
  shared?: SharedUsers,
  preloaded?: PreloadedUsers,
): UserDirectory {
  const { emailColumns } = impersonation
  // Created with the first entry: a cache allocates memory for all its entries at once, 1 MB for 10,000.
  let known: LRUCache<string, FoundUser> | undefined
  let notFound: LRUCache<string, Error> | undefined
  const pending = new Map<string, Promise<FoundUser>>()
  const waitForRate = rateLimiter(impersonation.lookupsPerSecond, impersonation.lookupTimeout)
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
    const { user, fault } = found ?? (await lookUp(named, key, parent))
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

  async function lookUp(named: NamedUser, key: string, parent: RequestRecord): Promise<LookupResult> {
    const cancellation = new Cancellation()
    const limit = setTimeout(() => cancellation.cancel(new UserLookupTooSlow()), impersonation.lookupTimeout)
    try {
      await waitForRate(cancellation)
      const finding = pickUser(await rowsOf(named, cancellation, parent), named, emailColumns)
      const { user, fault } = finding
      if (fault instanceof UserLookupFailed) throw fault
      if (user !== undefined && impersonation.verify) await verify(user, cancellation, parent)
      const ttl = fault === undefined ? impersonation.remember : impersonation.rememberUnknown
      if (ttl > 0 && (fault !== undefined || preloaded?.inUse() !== true)) {
        remember(key, finding, ttl)
        shared?.found(key, finding, ttl)
      }
      return finding
    } finally {
      clearTimeout(limit)
    }
  }

  async function rowsOf(
    named: NamedUser,
    cancellation: Cancellation,
    parent: RequestRecord,
  ): Promise<readonly unknown[]> {
    const path = url.apiRoot + userQuery(named, emailColumns)
    const { value } = (await ask(path, [], cancellation, parent)) as { value?: unknown }
    if (!Array.isArray(value)) {
      throw new UserLookupFailed({ cause: new OwnError('the response to the lookup has no rows') })
    }
    return value
  }

  /** Checks that Dynamics really acts as the user: it ignores a caller id that it does not know. */
  async function verify(user: User, cancellation: Cancellation, parent: RequestRecord): Promise<void> {
    const { UserId: actingAs } = (await ask(`${url.apiRoot}/WhoAmI`, callerIdOf(user), cancellation, parent)) as {
      UserId?: unknown
    }
    if (String(actingAs).toLowerCase() !== user.systemUserId?.toLowerCase()) {
      throw new ImpersonationIgnored({ cause: new OwnError("WhoAmI as the user was answered with another user's id") })
    }
  }

  async function ask(
    path: string,
    extraHeaders: readonly string[],
    cancellation: Cancellation,
    parent: RequestRecord,
  ): Promise<unknown> {
    const response = await send(lookupRequest(path, extraHeaders, cancellation, lookupRecord(parent, path)))
    const body = await response.body.bytes(MAX_RESPONSE_BYTES).catch((error: unknown) => {
      throw isGatewayError(error) ? error : new UserLookupFailed({ cause: error as Error })
    })
    // A limit is not a failure of the lookup: it applies to the caller's request as well. Its response always has the
    // header, because what respects limits sets it.
    if (response.status === 429) {
      throw retryLater(new LimitHolds(), retryAfter(header(response, 'retry-after'), Date.now())!)
    }
    const json = parsed(body)
    if (response.status === 200 && json !== undefined) return json ?? {}
    const explanation = explainDynamics({
      ...errorOf(response.status, (name) => header(response, name), json),
      impersonated: extraHeaders.length > 0,
      delegated: runsAsPerson(credential),
    })
    throw new UserLookupFailed({
      cause: new OwnError(`Dynamics 365 answered the lookup with ${response.status}: ${inOneLine(explanation)}`),
    })
  }
}

function createCache<V extends object>(max: number): LRUCache<string, V> {
  return new LRUCache({ max, ttlResolution: TTL_RESOLUTION_MS })
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
