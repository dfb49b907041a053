import { createBestTimes } from './best-times.ts'
import { createRefusedLimit } from './refused-limit.ts'
import { compareTimes, createResponseTimes } from './response-times.ts'
import type { ResponseTimes, CostClass } from './response-times.ts'

/**
 * The reason for the limit: the settings or the number of replicas allow no more; Dynamics suggests it; Dynamics
 * refused more; a higher limit had a better throughput, or had not; a lower limit had the same throughput, or had not.
 */
export type LimitReason =
  | 'ceiling'
  | 'hint'
  | 'refused'
  | 'higher-is-better'
  | 'higher-is-no-better'
  | 'lower-is-as-good'
  | 'lower-is-worse'

/** How many requests may run at once. The limit follows the measured throughput. */
export interface AdaptiveLimit {
  /** The limit now. During a trial it is the limit of the trial. */
  readonly current: () => number
  /** The limit outside of trials, and the reason for it. */
  readonly settled: () => { readonly limit: number; readonly reason: LimitReason }
  /**
   * A request is sent in the last free slot. Returns the set that its time belongs to; `undefined`: it is not measured.
   */
  readonly sent: () => ResponseTimes | undefined
  /** The head of a response arrived, `ms` after its request was sent. `times` is the result of `sent`. */
  readonly answered: (times: ResponseTimes, costClass: CostClass, ms: number) => void
  /** Dynamics refused one of `running` requests because too many ran at once. */
  readonly refused: (running: number) => void
  /** Starts with the degree of parallelism that Dynamics suggests. */
  readonly start: (parallel: number) => void
}

/** The share of a growth of the limit by which throughput must grow. With less, responses have only become slower. */
const MIN_GAIN = 0.15
/** Steps of a trial upwards: wide while every trial succeeds, narrow after one has failed. */
const WIDE_STEP = 1.5
const NARROW_STEP = 1.2
/** Step of a trial downwards, if the response times with fewer requests are not known. */
const DOWN_STEP = 2
/** A trial is decided at this many standard errors; a rejection, which costs less, at fewer. */
const CLEAR_STANDARD_ERRORS = 3
const CLEAR_REJECTION_STANDARD_ERRORS = 2
/** The fewest responses that are compared. */
const MIN_RESPONSES = 20
/** A trial that is still unclear after this time is decided by its mean. */
const MAX_TRIAL_MS = 4000
/** Pause after a failed trial upwards. It doubles each time. */
const MIN_REST_MS = 2000
const MAX_REST_MS = 14_000
/** Pause after a failed trial downwards. */
const DOWN_REST_MS = 6000
/** Responses are slow if they take this many times as long as the best recent ones. */
const SLOW_RATIO = 1.12
/** When responses are slow, the limit falls to what the best times allow, plus this share so that no slot is idle. */
const HEADROOM = 1.05
/** The limit falls to no less than this share in one step. */
const MAX_FALL = 1 / 3
/** Without a trial, times are discarded after this many times the fewest responses. */
const MAX_SETS = 4
/** After a gap of this length between responses, earlier times are discarded. */
const STALE_MS = 10_000

/**
 * A limit that follows what is measured while all slots are occupied. It tries higher and lower limits, and compares
 * the times to the heads of the responses. By Little's law, throughput is the number of concurrent requests divided by
 * the response time: a higher limit pays off as long as response times grow more slowly than the limit.
 *
 * @param ceiling the highest limit; it may change
 * @param clock monotonic, in milliseconds
 * @see docs/decisions/adaptive-concurrency.md
 */
export function createAdaptiveLimit(ceiling: () => number, clock: () => number): AdaptiveLimit {
  const best = createBestTimes(clock)
  const refusals = createRefusedLimit(clock)
  let settled = ceiling()
  let reason: LimitReason = 'ceiling'
  /** Response times at the settled limit. The trial has its own limit and times. */
  let times = createResponseTimes()
  let trial: { readonly limit: number; readonly times: ResponseTimes; readonly until: number } | undefined
  /** Requests to be sent until measured times belong to the current limit. */
  let unmeasured = 0
  let lastResponseAt = clock()
  let upDueAt = 0
  let downDueAt = 0
  let upRestMs = MIN_REST_MS
  /** Successful trials upwards in a row. */
  let gainsInARow = 0
  let hasFailed = false
  /** Whether responses were slow at the last check. */
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

  /** Starts the next trial, if one is due. */
  function startNextTrial(): void {
    const enough = Math.max(MIN_RESPONSES, settled)
    if (times.count() < enough) return
    const now = clock()
    const slowness = best.slowness(times)
    if (slowness > SLOW_RATIO) {
      // Some of these times are from before responses became slow. The trial is compared with new ones.
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

  /** Decides the trial, if the result is clear or the trial has lasted long enough. */
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
    // If responses are slow, too many requests are not the reason.
    if (best.slowness(times) > SLOW_RATIO) best.replace(times, settled)
    else best.replace(tried, limit)
    downDueAt = clock() + DOWN_REST_MS
    upDueAt = 0
    settle(settled, 'lower-is-worse')
  }

  /** Makes the limit of the trial the settled limit. */
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
