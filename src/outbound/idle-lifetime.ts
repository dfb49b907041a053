import { rawHeader } from './raw-headers.ts'

/** How long the server keeps idle connections, as far as it has been observed. */
export interface IdleLifetime {
  /** A request on a connection that had been idle for `age` milliseconds was answered. */
  readonly answered: (age: number) => void
  /** The server closed a connection that had been idle for `age`. */
  readonly closed: (age: number) => void
  /** A request on a connection that had been idle for `age` ended without a response. */
  readonly broke: (age: number) => void
  /** The server announced that it keeps idle connections for `ms` (`Keep-Alive: timeout`). */
  readonly announced: (ms: number) => void
  /** A connection that has been idle for `age` is open. */
  readonly open: (age: number) => void
  /** A request that must not be retried may use a connection that has been idle for less than this. */
  readonly safe: () => number
  /** Whether a response on a connection that has been idle for `age` would be new information. */
  readonly isUnproven: (age: number) => boolean
}

/** How long the server keeps the connections of a pool. */
export interface IdleLifetimes {
  /** Those that have carried a request. */
  readonly used: IdleLifetime
  /** Those that were opened in advance. */
  readonly unused: IdleLifetime
}

/**
 * The share of the idle lifetime in which a connection is safe for a write. The server closes connections only at the
 * end of the lifetime; half of it allows for late timers, and for differences between the servers of the environment.
 */
const SAFE_SHARE = 0.5

/** A request tests an idle time that is longer by this factor than the longest one with a response. */
const PROOF_STEP = 1.5

/** The shortest time for which observations count. They count for up to twice as long, because two periods are kept. */
const PERIOD_MS = 600_000

/**
 * If a connection stays open for more than twice as long as another one, plus this time, the other one was not closed
 * for its idle time, but for another reason, such as a restart of the server.
 */
const OTHER_REASON_MS = 100

/** No server closes idle connections this early, so that such a break is forgotten soon. */
const YOUNG_MS = 1000
const DISTRUST_MS = 10_000

/**
 * Learns from closed connections, from responses, and from announcements of the server.
 *
 * @param assumed the lifetime in milliseconds until one is observed
 */
export function createIdleLifetime(assumed: number, now: () => number = () => performance.now()): IdleLifetime {
  /** The longest idle time after which a request was answered. */
  let proven = 0
  let promised: number | undefined
  let distrustedUntil = -Infinity
  const closes = recentMinimum(now)
  /** Breaks without a close. An open connection does not disprove them: such a break is not announced. */
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

/** The smallest of the recent values; `Infinity` without any. */
function recentMinimum(now: () => number): {
  readonly note: (value: number) => void
  readonly value: () => number
  /** Removes values below `bound`. */
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

/** The lifetime in milliseconds that the header `Keep-Alive` of a response announces; `undefined` if it does not. */
export function announcedLifetime(headers: readonly Buffer[]): number | undefined {
  const value = rawHeader(headers, 'keep-alive')
  const seconds = value === undefined ? undefined : /\btimeout=(\d+)/i.exec(value)?.[1]
  return seconds === undefined ? undefined : 1000 * Number(seconds)
}
