import type { Logger } from '../logging/logger.ts'
import { spanOf, systemClock } from './clock.ts'
import type { Clock, Span } from './clock.ts'
import type { Credential, FetchedToken, FetchToken, TokenState } from './credential.ts'
import { asAuthorityFailure, AuthorityFailure } from './failure.ts'
import { fetchInTime } from './fetch-in-time.ts'
import { errorOf, nextFailure } from './token-failure.ts'
import type { FailureSeries } from './token-failure.ts'
import { lifeOf } from './token-life.ts'

export interface TokenCacheOptions {
  /** Timeout of one fetch, in milliseconds. */
  readonly timeout: number
  readonly log: Logger
  readonly clock?: Clock
}

interface CachedToken {
  /** `Bearer …` */
  readonly authorization: string
  readonly valid: Span
  readonly fresh: Span
}

/** How many refusals of Dynamics within the window may cause an early fetch. */
const MAX_DISCARDS = 2
const DISCARD_WINDOW_MS = 10_000

/**
 * Caches a token of `fetch` and renews it in the background before it expires, one fetch at a time. While the
 * authority is unavailable, a token is served as long as it is valid. Without one, callers get an error at once, with
 * the time until the next fetch.
 */
export function cacheToken(fetch: FetchToken, { timeout, log, clock = systemClock }: TokenCacheOptions): Credential {
  let current: CachedToken | undefined
  /** The token that Dynamics refused, while a new one is fetched. */
  let refused: CachedToken | undefined
  let flight: Promise<string> | undefined
  let failing: FailureSeries | undefined
  let timer: NodeJS.Timeout | undefined
  /** Whether a reload came during a fetch that may have read the old files. */
  let reloadPending = false
  let recentDiscards: Span[] = []
  let credentialEnds: number | undefined
  let renewals = 0
  let failures = 0
  const closing = new AbortController()

  return {
    authorization: () => (current !== undefined && !current.valid.isOver() ? current.authorization : waitForToken()),
    discard,
    state: () => ({
      token: freshnessOf(current, failing),
      validFor: Math.max(0, current?.valid.left() ?? 0),
      renewals,
      failures,
      lastFailure: failing?.failure.message,
      ...(credentialEnds === undefined ? {} : { credentialEnds }),
    }),
    warmUp: () => {
      if (current === undefined && flight === undefined && failing === undefined) inBackground()
    },
    reload: () => {
      if (flight === undefined) inBackground()
      else reloadPending = true
    },
    close: () => {
      clearTimeout(timer)
      closing.abort(
        new AuthorityFailure(
          { what: 'The gateway is stopping.', why: 'It received a signal to stop.', todo: 'Nothing.' },
          false,
        ),
      )
    },
  }

  function waitForToken(): Promise<string> {
    if (flight !== undefined) return flight
    if (failing !== undefined && !failing.pauseWhileNeeded.isOver()) return Promise.reject(errorOf(failing))
    return renew()
  }

  function renew(claims?: string): Promise<string> {
    clearTimeout(timer)
    const started = clock.steady()
    const renewal = fetchInTime(fetch, { claims }, { timeout, closing: closing.signal })
      .then(
        (token) => store(token, clock.steady() - started),
        (error) => {
          throw recordFailure(error)
        },
      )
      .finally(() => {
        flight = undefined
        if (reloadPending) inBackground()
        reloadPending = false
      })
    flight = renewal
    return renewal
  }

  function inBackground(claims?: string): void {
    // The failure is in the log and in `failing`.
    if (!closing.signal.aborted) renew(claims).catch(() => {})
  }

  function store(token: FetchedToken, took: number): string {
    const { servedFor, renewAfter } = lifeOf(token, took, Math.random())
    const authorization = `Bearer ${token.accessToken}`
    if (refused?.authorization === authorization) {
      // The authority caches tokens too, and would return the refused one for a while.
      recentDiscards = Array.from({ length: MAX_DISCARDS }, () => spanOf(DISCARD_WINDOW_MS, clock))
    }
    current = { authorization, valid: spanOf(servedFor, clock), fresh: spanOf(renewAfter, clock) }
    refused = undefined
    credentialEnds = token.credentialEnds
    renewals += 1
    if (failing !== undefined) log.info({ failures: failing.inARow }, 'access tokens available again')
    failing = undefined
    renewIn(renewAfter)
    log.debug({ validFor: Math.round(servedFor), renewIn: Math.round(renewAfter) }, 'access token fetched')
    return authorization
  }

  function recordFailure(error: unknown): Error {
    const failure = asAuthorityFailure(error)
    const series = nextFailure(failing, failure, Math.random(), clock)
    failures += 1
    failing = series
    current ??= refused
    refused = undefined
    if (!closing.signal.aborted) {
      const facts = {
        ...failure.facts,
        err: failure.cause,
        inARow: series.inARow,
        retryIn: Math.round(series.delay),
        tokenValidFor: Math.round(Math.max(0, current?.valid.left() ?? 0)),
      }
      log[failure.refused ? 'error' : 'warn'](facts, `no access token: ${failure.message}`)
      renewIn(series.delay)
    }
    return errorOf(series)
  }

  function renewIn(delay: number): void {
    clearTimeout(timer)
    if (!closing.signal.aborted) timer = setTimeout(inBackground, delay).unref()
  }

  function discard(authorization: string, claims?: string): void {
    if (current?.authorization !== authorization) return
    recentDiscards = recentDiscards.filter((span) => !span.isOver())
    if (flight === undefined) {
      if (recentDiscards.length >= MAX_DISCARDS || (failing !== undefined && !failing.pause.isOver())) return
      recentDiscards.push(spanOf(DISCARD_WINDOW_MS, clock))
    }
    refused = current
    current = undefined
    log.warn({ claims: claims !== undefined }, 'access token refused by Dynamics before its expiry; fetching a new one')
    if (flight === undefined) inBackground(claims)
  }
}

function freshnessOf(current: CachedToken | undefined, failing: FailureSeries | undefined): TokenState['token'] {
  if (current === undefined || current.valid.isOver()) return 'none'
  return current.fresh.isOver() || failing !== undefined ? 'stale' : 'fresh'
}
