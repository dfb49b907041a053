import { createBestTimes } from './best-times.ts'
import { createRefusedLimit } from './refused-limit.ts'
import { compareTimes, createResponseTimes } from './response-times.ts'
import type { ResponseTimes, CostClass } from './response-times.ts'

/**
 * Why the limit is what it is: the settings or the number of replicas allow no more; Dynamics suggests it; Dynamics
 * refused more; more got more done, or did not; fewer got as much done, or did not.
 */
export type LimitReason =
  | 'ceiling'
  | 'hint'
  | 'refused'
  | 'higher-is-better'
  | 'higher-is-no-better'
  | 'lower-is-as-good'
  | 'lower-is-worse'

/** How many requests may run at once: as many as pays, by what is measured. */
export interface AdaptiveLimit {
  /** The limit now, that of a trial included. */
  readonly current: () => number
  /** The limit outside of trials, and why it is that. */
  readonly settled: () => { readonly limit: number; readonly reason: LimitReason }
  /** A request is sent that takes the last place. Returns what its time belongs to; `undefined`: it is not measured. */
  readonly sent: () => ResponseTimes | undefined
  /** The head of a response came, `ms` after its request was sent; `times` are what `sent` returned. */
  readonly answered: (times: ResponseTimes, costClass: CostClass, ms: number) => void
  /** Dynamics refused one of `running` requests because there were too many at once. */
  readonly refused: (running: number) => void
  /** Begins at the number of requests that Dynamics suggests. */
  readonly start: (parallel: number) => void
}

/** Share of a growth that must show in what gets done; else the responses only became slower. */
const MIN_GAIN = 0.15
/** Steps of a trial upwards: wide while every one pays, narrow once one did not. */
const WIDE_STEP = 1.5
const NARROW_STEP = 1.2
/** Step of a trial downwards, where it is not known how fast Dynamics answers fewer requests. */
const DOWN_STEP = 2
/** A trial is clear at this many standard errors; a rejection, which costs less, at fewer. */
const CLEAR_STANDARD_ERRORS = 3
const CLEAR_REJECTION_STANDARD_ERRORS = 2
/** Fewest responses that are compared. */
const MIN_RESPONSES = 20
/** A trial that is not clear by then is decided by what it looks like. */
const MAX_TRIAL_MS = 4000
/** Time after a trial of more that changed nothing; it doubles. */
const MIN_REST_MS = 2000
const MAX_REST_MS = 14_000
/** As above, after a trial of fewer. */
const DOWN_REST_MS = 6000
/** Answers are slow when they take this much longer than the best recent ones. */
const SLOW_RATIO = 1.12
/** When answers are slow, the limit falls to what the best times allow and a little more, so that no place is idle. */
const HEADROOM = 1.05
/** It falls to no less than this share at once. */
const MAX_FALL = 1 / 3
/** While nothing is tried, times are forgotten after this many sets of the fewest responses. */
const MAX_SETS = 4
/** Answers that are further apart belong to different times. */
const STALE_MS = 10_000

/**
 * A limit that follows what is measured while all places are taken. It tries more and fewer requests at once and
 * compares the times to the heads of the responses. By Little's law, what gets done is the number at once divided by
 * the time: more pay while responses slow down by less than the number grows.
 *
 * @param ceiling the most that may be; it may change
 * @param clock milliseconds, rising
 * @see docs/decisions/adaptive-concurrency.md
 */
export function createAdaptiveLimit(ceiling: () => number, clock: () => number): AdaptiveLimit {
  const best = createBestTimes(clock)
  const refusals = createRefusedLimit(clock)
  let settled = ceiling()
  let reason: LimitReason = 'ceiling'
  /** Times at the settled limit; and the limit that is tried out, with its times. */
  let times = createResponseTimes()
  let trial: { readonly limit: number; readonly times: ResponseTimes; readonly until: number } | undefined
  /** Requests to be sent until what is measured belongs to the present limit. */
  let unmeasured = 0
  let lastResponseAt = clock()
  let upDueAt = 0
  let downDueAt = 0
  let upRestMs = MIN_REST_MS
  /** Trials upwards that paid, one after the other. */
  let gainsInARow = 0
  let hasFailed = false
  /** Whether responses were slow when that was last looked at. */
  let isSlow = false

  const current = (): number => Math.min(trial?.limit ?? settled, Math.max(1, ceiling()))

  function settle(limit: number, why: LimitReason): void {
    settled = limit
    reason = why
    trial = undefined
    times = createResponseTimes()
    unmeasured = limit
  }

  function startTrial(desired: number): boolean {
    const limit = Math.max(1, Math.min(Math.round(desired), ceiling(), refusals.highest()))
    if (limit === settled) return false
    trial = { limit, times: createResponseTimes(), until: clock() + MAX_TRIAL_MS }
    unmeasured = limit
    return true
  }

  function startTrialUp(): boolean {
    const step = hasFailed && gainsInARow < 2 ? NARROW_STEP : WIDE_STEP
    return startTrial(Math.max(settled + 1, settled * step))
  }

  /** Begins the next trial, where one is due. */
  function startNextTrial(): void {
    const enough = Math.max(MIN_RESPONSES, settled)
    if (times.count() < enough) return
    const now = clock()
    const slowness = best.slowness(times)
    if (slowness > SLOW_RATIO) {
      // The times that showed it are partly those of before: the trial is compared with new ones.
      if (!isSlow) {
        isSlow = true
        times = createResponseTimes()
        return
      }
      startTrial(Math.min(settled - 1, settled * Math.max(HEADROOM / slowness, MAX_FALL)))
      return
    }
    isSlow = false
    const known = best.isKnownBelow(settled)
    best.add(times, settled)
    const isDownDue = !known && now >= downDueAt && gainsInARow === 0
    if (isDownDue && startTrial(Math.min(settled - 1, settled / DOWN_STEP))) return
    if (now >= upDueAt && startTrialUp()) return
    if (times.count() > MAX_SETS * enough) times = createResponseTimes()
  }

  /** Decides the trial, where it is clear or has lasted long enough. */
  function decideTrial({ limit, times: tried, until }: NonNullable<typeof trial>): void {
    const difference = tried.count() < Math.max(MIN_RESPONSES, limit) ? undefined : compareTimes(times, tried)
    if (difference === undefined) return
    const advantage = (1 - MIN_GAIN) * Math.log(limit / settled) - difference.logRatio
    const isUp = limit > settled
    const clear = isUp && advantage < 0 ? CLEAR_REJECTION_STANDARD_ERRORS : CLEAR_STANDARD_ERRORS
    if (Math.abs(advantage) <= clear * difference.standardError && clock() < until) return
    if (isUp) decideUp(limit, tried, advantage > 0)
    else decideDown(limit, tried, advantage > 0)
  }

  function decideUp(limit: number, tried: ResponseTimes, pays: boolean): void {
    if (pays) {
      best.add(tried, limit)
      gainsInARow++
      upRestMs = MIN_REST_MS
      adopt(limit, tried, 'higher-is-better')
      startTrialUp()
      return
    }
    gainsInARow = 0
    hasFailed = true
    upDueAt = clock() + upRestMs
    upRestMs = Math.min(upRestMs * 2, MAX_REST_MS)
    settle(settled, 'higher-is-no-better')
  }

  function decideDown(limit: number, tried: ResponseTimes, suffices: boolean): void {
    gainsInARow = 0
    if (suffices) {
      best.add(tried, limit)
      upDueAt = clock() + upRestMs
      adopt(limit, tried, 'lower-is-as-good')
      return
    }
    // If responses became slower, it was not because there were too many requests.
    if (best.slowness(times) > SLOW_RATIO) best.replace(times, settled)
    else best.replace(tried, limit)
    downDueAt = clock() + DOWN_REST_MS
    upDueAt = 0
    settle(settled, 'lower-is-worse')
  }

  /** The trial's limit is the settled one from now on. */
  function adopt(limit: number, tried: ResponseTimes, why: LimitReason): void {
    settled = limit
    reason = why
    trial = undefined
    times = tried
  }

  return {
    current,
    settled: () => (settled > ceiling() ? { limit: current(), reason: 'ceiling' } : { limit: settled, reason }),
    sent() {
      if (settled > ceiling()) settle(current(), 'ceiling')
      if (unmeasured-- > 0) return undefined
      unmeasured = 0
      return trial?.times ?? times
    },
    answered(measured, costClass, ms) {
      if (measured !== (trial?.times ?? times)) return
      const idle = clock() - lastResponseAt
      lastResponseAt = clock()
      if (idle > STALE_MS) {
        settle(settled, reason)
        return
      }
      measured.add(costClass, ms)
      if (trial === undefined) startNextTrial()
      else decideTrial(trial)
    },
    refused(running) {
      refusals.refused(running)
      gainsInARow = 0
      hasFailed = true
      settle(Math.min(settled, refusals.highest()), 'refused')
    },
    start: (parallel) => settle(Math.max(1, Math.min(Math.floor(parallel), ceiling())), 'hint'),
  }
}
