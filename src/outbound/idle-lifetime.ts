import { rawHeader } from './raw-headers.ts'

/** How long the other side keeps connections on which nothing is under way, as far as has been seen. */
export interface IdleLifetime {
  /** A request on a connection that had been idle for `age` milliseconds was answered. */
  readonly answered: (age: number) => void
  /** The other side closed a connection that had been idle for `age`. */
  readonly closed: (age: number) => void
  /** A request on a connection that had been idle for `age` met its end instead of a response. */
  readonly broke: (age: number) => void
  /** The other side says that it keeps idle connections for `ms` (`Keep-Alive: timeout`). */
  readonly announced: (ms: number) => void
  /** A connection that has been idle for `age` is open. */
  readonly open: (age: number) => void
  /** A request that must not be sent twice may use a connection that has been idle for less than this. */
  readonly safe: () => number
  /** Whether a response on a connection that has been idle for `age` would prove more than is known. */
  readonly isUnproven: (age: number) => boolean
}

/**
 * A write meets a connection that is just being closed only near the end of its life. Half of it leaves room for
 * timers that are late, and for a far end whose servers differ.
 */
const SAFE_SHARE = 0.5

/** A request tries an idle time that is this much longer than the longest one that was answered. */
const PROOF_STEP = 1.5

/** How long what was seen counts at least; up to twice as long, because two periods are kept. */
const PERIOD_MS = 600_000

/**
 * A connection that stays open for more than twice as long as another one, and this much more, shows that the other one
 * was closed for another reason than its idle time, such as a restart of the far end.
 */
const OTHER_REASON_MS = 100

/** No server closes connections this young for being idle, so a break says little, and is forgotten soon. */
const YOUNG_MS = 1000
const DISTRUST_MS = 10_000

/**
 * Learns from closes, from responses, and from what the other side announces.
 *
 * @param assumed the lifetime in milliseconds until something is known
 */
export function createIdleLifetime(assumed: number, now: () => number = () => performance.now()): IdleLifetime {
  /** The longest idle time that was answered. */
  let proven = 0
  let promised: number | undefined
  let distrustedUntil = -Infinity
  const closes = recentMinimum(now)
  /** That a connection is open refutes none of these: whoever breaks one does not say so before. */
  const breaks = recentMinimum(now)

  function open(age: number): void {
    closes.forget((age - OTHER_REASON_MS) / 2)
  }

  return {
    open,
    answered(age) {
      proven = Math.max(proven, age)
      open(age)
    },
    closed(age) {
      closes.note(age)
      proven = Math.min(proven, age)
    },
    broke(age) {
      if (age < YOUNG_MS) distrustedUntil = now() + DISTRUST_MS
      else breaks.note(age)
      proven = Math.min(proven, age)
    },
    announced(ms) {
      promised = ms
    },
    safe() {
      if (now() < distrustedUntil) return 0
      const expected = promised ?? Math.max(proven, assumed)
      return SAFE_SHARE * Math.min(closes.value(), breaks.value(), expected)
    },
    isUnproven: (age) => age > PROOF_STEP * Math.max(proven, assumed),
  }
}

/** The smallest of the values that were noted lately; `Infinity` where there are none. */
function recentMinimum(now: () => number): {
  readonly note: (value: number) => void
  readonly value: () => number
  /** Forgets values below `bound`. */
  readonly forget: (bound: number) => void
} {
  let current = Infinity
  let previous = Infinity
  let began = now()
  function turn(): void {
    const elapsed = now() - began
    if (elapsed < PERIOD_MS) return
    previous = elapsed < 2 * PERIOD_MS ? current : Infinity
    current = Infinity
    began = now()
  }
  return {
    note(value) {
      turn()
      current = Math.min(current, value)
    },
    value() {
      turn()
      return Math.min(current, previous)
    },
    forget(bound) {
      if (current < bound) current = Infinity
      if (previous < bound) previous = Infinity
    },
  }
}

/** The lifetime in milliseconds that the header `Keep-Alive` of a response announces, if it does. */
export function announcedLifetime(headers: readonly Buffer[]): number | undefined {
  const seconds = /\btimeout=(\d+)/i.exec(rawHeader(headers, 'keep-alive') ?? '')?.[1]
  return seconds === undefined ? undefined : 1000 * Number(seconds)
}
