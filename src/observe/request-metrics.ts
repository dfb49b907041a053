import { CALLER_METHODS } from '../server/caller-methods.ts'
import { counter, histogram, read } from './series.ts'
import type { Collect } from './series.ts'

/** One request that is over. Times are milliseconds. */
export interface RequestDone {
  /** The target's name; `none` where it did not get to one. */
  readonly target: string
  readonly method: string
  readonly status: number
  /** The gateway's own error, without `GATEWAY_`; `undefined` where it answered none. */
  readonly code: string | undefined
  /** The caller's name, as the settings have it. */
  readonly caller: string
  /** What the gateway itself took: neither waiting nor Dynamics. */
  readonly own: number
  readonly wait: number
  readonly dynamics: number
  /** How it came by its connection to Dynamics, where it got one. */
  readonly connection?: string | undefined
  /** Its trace, where that is kept. */
  readonly traceId?: string | undefined
}

export interface RequestMetrics {
  readonly done: (request: RequestDone) => void
  readonly collect: readonly Collect[]
}

/** Series of requests at most; names of callers may come from tokens, and so have no end. */
const MAX_SERIES = 500

/** From here on callers who are new are counted together. */
const NAMED_SERIES = 440

/** Names that a token may bear are cut. */
const LONGEST_NAME = 64

const OTHER = 'other'

/** Upper bounds of the buckets, in seconds. */
const OWN = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1]
const WAIT = [0.001, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30]
const DYNAMICS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120]

/** The series of one caller at one target: by method and status, and by the gateway's error too where there was one. */
type Series = Map<number | string, { readonly labels: Labels; value: number }>

interface Labels extends Readonly<Record<string, string>> {
  readonly target: string
  readonly method: string
  readonly status: string
  readonly code: string
  readonly caller: string
}

/** Counts requests, and where their time went: a fraction of a microsecond. */
export function requestMetrics(): RequestMetrics {
  /** By caller, by target. */
  const callers = new Map<string, Map<string, Series>>()
  let size = 0
  const connections = counter(
    'gateway_connections_total',
    'Requests sent to Dynamics on a new connection, on one that was opened ahead (reserve), or on a reused one.',
    'target',
    'connection',
  )
  const own = histogram('gateway_own_seconds', 'Time that the gateway itself took for a request.', OWN)
  const wait = histogram('gateway_wait_seconds', 'Time that a request waited for its turn and for limits.', WAIT)
  const dynamics = histogram('gateway_dynamics_seconds', "Time from sending to the head of Dynamics' answer.", DYNAMICS)

  function count(caller: string, target: string, { method, status, code }: CountedBy): void {
    let targets = callers.get(caller)
    let series = targets?.get(target)
    const number = 1000 * CALLER_METHODS.indexOf(method) + status
    const key = code === undefined ? number : `${number} ${code}`
    const known = series?.get(key)
    if (known !== undefined) {
      known.value++
      return
    }
    if (size >= NAMED_SERIES && caller !== OTHER) return count(OTHER, target, { method, status, code })
    // Nothing that is not in the settings or in this program has got here, but statuses of Dynamics.
    if (size >= MAX_SERIES - STATUS_CLASSES && target !== OTHER) {
      return count(OTHER, OTHER, {
        method: OTHER,
        status: 100 * Math.min(Math.trunc(status / 100), 9),
        code: undefined,
      })
    }
    if (targets === undefined) callers.set(caller, (targets = new Map()))
    if (series === undefined) targets.set(target, (series = new Map()))
    const labels = {
      target,
      method: CALLER_METHODS.includes(method) ? method : OTHER,
      status: String(status),
      code: code ?? '',
      caller,
    }
    series.set(key, { labels, value: 1 })
    size++
  }

  return {
    done(request) {
      const { caller, target, traceId, connection } = request
      if (connection !== undefined) connections.count(target, connection)
      count(caller.length > LONGEST_NAME ? caller.slice(0, LONGEST_NAME) : caller, target, request)
      own.observe(request.own / 1000, traceId)
      wait.observe(request.wait / 1000, traceId)
      dynamics.observe(request.dynamics / 1000, traceId)
    },
    collect: [
      read(
        'gateway_requests_total',
        "Requests by target, method, status, the gateway's own error and caller.",
        () =>
          [...callers.values()].flatMap((targets) => [...targets.values()].flatMap((series) => [...series.values()])),
        'counter',
      ),
      connections.collect,
      own.collect,
      wait.collect,
      dynamics.collect,
    ],
  }
}

type CountedBy = Pick<RequestDone, 'method' | 'status' | 'code'>

/** 000, 100 … 900. */
const STATUS_CLASSES = 10
