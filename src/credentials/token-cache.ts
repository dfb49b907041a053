import { CredentialRejected, retryLater, TokenUnavailable } from '../errors.ts'
import type { Explanation } from '../explanations/explanation.ts'
import type { Logger } from '../logger.ts'
import { backOff, backOffWhileNeeded } from './back-off.ts'
import { spanOf, systemClock } from './clock.ts'
import type { Clock, Span } from './clock.ts'
import type { Credential, FetchedToken, FetchToken } from './credential.ts'
import { asAuthorityFailure, AuthorityFailure } from './failure.ts'
import { lifeOf } from './token-life.ts'

export interface RememberOptions {
  /** The longest that one fetch may take, in milliseconds. */
  readonly timeout: number
  readonly log: Logger
  readonly clock?: Clock
}

interface Held {
  /** `Bearer …` */
  readonly authorization: string
  readonly valid: Span
  readonly fresh: Span
}

/** How long a fetch may take to end after it was told to. */
const GRACE = 100

/** Dynamics' refusals may make the store fetch early this often … */
const DISCARDS = 2
/** … within this time. */
const DISCARDS_WITHIN = 10_000

/**
 * Keeps a token of `fetch` ready: one fetch at a time, ahead of the token's end, in the background. While the
 * authority is down, a token is served as long as it is valid; without one, callers are told at once how long the
 * store will not ask again.
 */
export function cacheToken(fetch: FetchToken, { timeout, log, clock = systemClock }: RememberOptions): Credential {
  let held: Held | undefined
  /** What Dynamics refused while its successor is fetched. */
  let refused: Held | undefined
  let flight: Promise<string> | undefined
  let failing:
    | {
        readonly failure: AuthorityFailure
        readonly inARow: number
        readonly pause: Span
        readonly pauseWhileNeeded: Span
      }
    | undefined
  let timer: NodeJS.Timeout | undefined
  /** A reload came while a fetch was under way that may have read the old files. */
  let onceMore = false
  let recentDiscards: Span[] = []
  let credentialEnds: number | undefined
  let renewals = 0
  let failures = 0
  const closing = new AbortController()

  return {
    authorization: () => (held !== undefined && !held.valid.isOver() ? held.authorization : waitForToken()),
    discard,
    state: () => ({
      token:
        held === undefined || held.valid.isOver()
          ? 'none'
          : held.fresh.isOver() || failing !== undefined
            ? 'stale'
            : 'fresh',
      validFor: Math.max(0, held?.valid.left() ?? 0),
      renewals,
      failures,
      trouble: failing?.failure.message,
      ...(credentialEnds === undefined ? {} : { credentialEnds }),
    }),
    warmUp: () => {
      if (held === undefined && flight === undefined && failing === undefined) inBackground()
    },
    reload: () => {
      if (flight === undefined) inBackground()
      else onceMore = true
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
    if (failing !== undefined && !failing.pauseWhileNeeded.isOver()) return Promise.reject(refusal(failing))
    return renew()
  }

  function renew(claims?: string): Promise<string> {
    clearTimeout(timer)
    const started = clock.steady()
    const renewal = fetchInTime(claims)
      .then(
        (token) => keep(token, clock.steady() - started),
        (error) => {
          throw giveUp(error)
        },
      )
      .finally(() => {
        flight = undefined
        if (onceMore) inBackground()
        onceMore = false
      })
    flight = renewal
    return renewal
  }

  function inBackground(claims?: string): void {
    // What went wrong is in the log and in `failing`.
    if (!closing.signal.aborted) renew(claims).catch(() => {})
  }

  async function fetchInTime(claims: string | undefined): Promise<FetchedToken> {
    const patience = new AbortController()
    const tooSlow = setTimeout(() => {
      patience.abort(new AuthorityFailure(tooSlowFor(timeout), false, { code: 'TIMEOUT' }))
    }, timeout)
    const signal = AbortSignal.any([patience.signal, closing.signal])
    try {
      signal.throwIfAborted()
      return await Promise.race([
        fetch({ claims, signal }),
        new Promise<never>((_, reject) => {
          // A fetch that heeds the signal says more of what it waited for.
          signal.addEventListener('abort', () => setTimeout(reject, GRACE, signal.reason), { once: true })
        }),
      ])
    } finally {
      clearTimeout(tooSlow)
    }
  }

  function keep(token: FetchedToken, took: number): string {
    const { servedFor, renewAfter } = lifeOf(token, took, Math.random())
    const authorization = `Bearer ${token.accessToken}`
    if (refused?.authorization === authorization) {
      // The authority itself remembers the token that was refused: asking again brings nothing new for a while.
      recentDiscards = Array.from({ length: DISCARDS }, () => spanOf(DISCARDS_WITHIN, clock))
    }
    held = { authorization, valid: spanOf(servedFor, clock), fresh: spanOf(renewAfter, clock) }
    refused = undefined
    credentialEnds = token.credentialEnds
    renewals += 1
    if (failing !== undefined) log.info({ failures: failing.inARow }, 'the authority gives access tokens again')
    failing = undefined
    renewIn(renewAfter)
    log.debug({ validFor: Math.round(servedFor), renewIn: Math.round(renewAfter) }, 'fetched an access token')
    return authorization
  }

  function giveUp(error: unknown): Error {
    const failure = asAuthorityFailure(error)
    const inARow = failing?.failure.refused === failure.refused ? failing.inARow + 1 : 1
    const random = Math.random()
    const delay = backOff(failure, inARow, random)
    failures += 1
    failing = {
      failure,
      inARow,
      pause: spanOf(delay, clock),
      pauseWhileNeeded: spanOf(backOffWhileNeeded(failure, inARow, random), clock),
    }
    held ??= refused
    refused = undefined
    if (!closing.signal.aborted) {
      const facts = {
        ...failure.facts,
        err: failure.cause,
        inARow,
        retryIn: Math.round(delay),
        tokenValidFor: Math.round(Math.max(0, held?.valid.left() ?? 0)),
      }
      log[failure.refused ? 'error' : 'warn'](facts, `no access token: ${failure.message}`)
      renewIn(delay)
    }
    return refusal(failing)
  }

  function renewIn(delay: number): void {
    clearTimeout(timer)
    if (!closing.signal.aborted) timer = setTimeout(inBackground, delay).unref()
  }

  function discard(authorization: string, claims?: string): void {
    if (held?.authorization !== authorization) return
    recentDiscards = recentDiscards.filter((span) => !span.isOver())
    if (flight === undefined) {
      if (recentDiscards.length >= DISCARDS || (failing !== undefined && !failing.pause.isOver())) return
      recentDiscards.push(spanOf(DISCARDS_WITHIN, clock))
    }
    refused = held
    held = undefined
    log.warn({ claims: claims !== undefined }, 'Dynamics refused the access token before its end; fetching a new one')
    if (flight === undefined) inBackground(claims)
  }

  function refusal({ failure, pauseWhileNeeded }: NonNullable<typeof failing>): Error {
    return failure.refused
      ? new CredentialRejected({ cause: failure })
      : retryLater(new TokenUnavailable({ cause: failure }), pauseWhileNeeded.left())
  }
}

function tooSlowFor(timeout: number): Explanation {
  return {
    what: `The authority gave no token within ${timeout} ms.`,
    why: 'It is slow, or a firewall swallows what is sent to it.',
    todo: 'Let this machine reach it on port 443, or set HTTPS_PROXY; TOKEN_TIMEOUT allows more time.',
  }
}
