import type { Target } from '../config/schema.ts'
import { Cancellation } from '../dynamics/cancellation.ts'
import type { Send } from '../dynamics/send.ts'
import type { Logger } from '../logging/logger.ts'
import { OwnError } from '../logging/own-error.ts'
import type { FoundUser } from './pick-user.ts'
import { createUserIndex } from './user-index.ts'
import type { UserIndex } from './user-index.ts'
import { PageRefused, userPages } from './user-pages.ts'
import type { UserPage } from './user-pages.ts'
import { userColumns } from './user-query.ts'
import type { NamedUser } from './user-query.ts'

/** All users of an environment, kept in memory and up to date by change tracking. */
export interface PreloadedUsers {
  /** Starts to read all users. Never throws. */
  readonly start: () => void
  /** Whether the users are in memory. Then older lookups must not be used. */
  readonly inUse: () => boolean
  /**
   * The user that `named` means; `undefined` if it must be looked up. It waits only if the users may be out of date,
   * after a time without requests.
   */
  readonly find: (named: NamedUser) => FoundUser | undefined | Promise<FoundUser | undefined>
  readonly state: () => PreloadState
  /** Calls `listener` after users have changed, or may have. */
  readonly onChange: (listener: () => void) => void
  readonly close: () => void
}

/** `off`: users are looked up one by one, because of `reason`. */
export type PreloadState =
  | { readonly status: 'loading' | 'ready'; readonly users: number }
  | { readonly status: 'off'; readonly users: number; readonly reason: string }

/** Times in milliseconds; tests take smaller ones. */
export interface PreloadLimits {
  /** Time between two requests for changes, while there is traffic. */
  readonly poll: number
  /** The greatest age of the users in memory: a user who was disabled is refused within a minute. */
  readonly maxAge: number
  /** Time before the next attempt after a temporary failure. */
  readonly retry: number
  /** The most rows in memory. */
  readonly users: number
}

/** The most rows of the users' table, disabled users included: about 35 MB. */
export const MAX_PRELOADED_USERS = 100_000
const LIMITS: PreloadLimits = { poll: 30_000, maxAge: 55_000, retry: 5000, users: MAX_PRELOADED_USERS }
/** The time between attempts grows from 5 s to 160 s. */
const MAX_DOUBLINGS = 5
const SYNC_TIMEOUT_MS = 10 * 60_000
/** More than the clocks of this machine and of Dynamics can differ. */
const CLOCK_MARGIN_MS = 15 * 60_000

/** Users cannot be preloaded. They are looked up one by one until the gateway is restarted. */
class NotPreloadable extends OwnError {}

/** Reads all users with `send`, after `start`. It changes no setting of the environment. */
export function preloadUsers(
  send: Send,
  { url, impersonation: { emailColumns, lookupTimeout } }: Pick<Target, 'url' | 'impersonation'>,
  log: Logger,
  limits: PreloadLimits = LIMITS,
): PreloadedUsers {
  const pages = userPages(send, { url })
  const columns = userColumns(emailColumns)
  let index: UserIndex | undefined
  /** The delta link: the URL of the changes since the last request. */
  let deltaLink = ''
  /** The time of the state in the index, by `performance.now()`. */
  let currentAt = -Infinity
  let failedAt = -Infinity
  /** Failed attempts in a row. */
  let failures = 0
  let reason: string | undefined
  let running: Promise<void> | undefined
  let hasTraffic = false
  let timer: NodeJS.Timeout | undefined
  let cancellation = new Cancellation()
  let isClosed = false
  const listeners: (() => void)[] = []

  return {
    start: () => void sync(),
    inUse: () => index !== undefined,
    find(named) {
      hasTraffic = true
      if (timer === undefined && running === undefined && reason === undefined) schedule(0)
      if (index === undefined) return undefined
      const now = performance.now()
      if (now - currentAt <= limits.maxAge) return index.find(named)
      if (now - failedAt < limits.retry) return undefined
      return withinLookupTimeout(sync()).then(() =>
        performance.now() - currentAt <= limits.maxAge ? index?.find(named) : undefined,
      )
    },
    state: () =>
      reason !== undefined
        ? { status: 'off', users: 0, reason }
        : { status: index === undefined ? 'loading' : 'ready', users: index?.size() ?? 0 },
    onChange: (listener) => void listeners.push(listener),
    close() {
      isClosed = true
      clearTimeout(timer)
      cancellation.cancel(new OwnError('the gateway is stopping'))
    },
  }

  /** Reads all users, or the changes. Concurrent calls share one attempt. Never throws. */
  function sync(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    running ??= attempt().finally(() => {
      running = undefined
    })
    return running
  }

  async function attempt(): Promise<void> {
    cancellation = new Cancellation()
    const timeout = setTimeout(() => cancellation.cancel(new OwnError('reading users took too long')), SYNC_TIMEOUT_MS)
    const started = performance.now()
    try {
      if (index === undefined) await load(started)
      else await update(index)
      currentAt = started
      failures = 0
      schedule(limits.poll)
    } catch (error) {
      if (isClosed) return
      failedAt = performance.now()
      failures += 1
      handleFailure(error as Error)
    } finally {
      clearTimeout(timeout)
    }
  }

  /** Without traffic nothing is read. The next request starts it again. */
  function schedule(delay: number): void {
    if (isClosed) return
    timer = setTimeout(() => {
      timer = undefined
      if (!hasTraffic) return
      hasTraffic = false
      void sync()
    }, delay).unref()
  }

  async function load(started: number): Promise<void> {
    if ((await pages.isTracked(cancellation)) === false) {
      throw new NotPreloadable('change tracking is switched off for the table systemuser')
    }
    const since = new Date(Date.now() - CLOCK_MARGIN_MS).toISOString()
    const loading = createUserIndex(emailColumns)
    const path = `${url.apiRoot}/systemusers?$select=${columns}`
    const link = await readAll(loading, path, pages.tracked)
    if (link === undefined) throw new NotPreloadable('Dynamics returned no delta link')
    // A row may have changed after its page was read, and before the version at which the delta link starts.
    await readAll(loading, `${path}&$filter=modifiedon%20ge%20${since}`, pages.plain)
    deltaLink = link
    index = loading
    for (const listener of listeners) listener()
    log.info({ users: index.size(), ms: Math.round(performance.now() - started) }, 'users preloaded')
  }

  async function update(into: UserIndex): Promise<void> {
    const link = await readAll(into, deltaLink, pages.tracked)
    if (link === undefined) throw new OwnError('Dynamics returned no new delta link')
    deltaLink = link
  }

  /** Reads `path` and the pages after it. Returns the delta link of the last one. */
  async function readAll(into: UserIndex, path: string, read: typeof pages.plain): Promise<string | undefined> {
    let next: string | undefined = path
    let delta: string | undefined
    do {
      const page: UserPage = await read(next, cancellation)
      into.apply(page.rows)
      if (into === index && page.rows.length > 0) for (const listener of listeners) listener()
      if (into.size() > limits.users) throw new NotPreloadable(`there are more than ${limits.users} users`)
      next = page.next
      delta = page.delta
    } while (next !== undefined)
    return delta
  }

  function handleFailure(error: Error): void {
    const status = error instanceof PageRefused ? error.status : undefined
    if (error instanceof NotPreloadable || status === 403 || (status === 400 && index === undefined)) {
      index = undefined
      reason = error.message
      log.warn({}, `users are not preloaded, but looked up one by one: ${reason}`)
      return
    }
    if (status === 400 || status === 404 || status === 410) {
      index = undefined
      log.warn({ status }, 'the delta link of users has expired; users are looked up until all are read again')
    } else if (failures === 1) {
      log.warn({ err: error }, 'changes of users could not be read; retrying')
    }
    hasTraffic = true
    schedule(limits.retry * 2 ** Math.min(failures - 1, MAX_DOUBLINGS))
  }

  /** Waits no longer than a lookup of a user may take. */
  async function withinLookupTimeout(syncing: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await Promise.race([syncing, new Promise((resolve) => (timer = setTimeout(resolve, lookupTimeout)))])
    clearTimeout(timer)
  }
}
