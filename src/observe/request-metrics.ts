import { METHODS } from '../odata/methods.ts'
import { histogram, read } from './series.ts'
import type { Collect, Value } from './series.ts'

/** One request that is over. Times are milliseconds. */
export interface RequestDone {
  readonly method: string
  readonly status: number
  /** The caller's name, as the settings have it. */
  readonly caller: string
  /** What the gateway itself took: neither waiting nor Dynamics. */
  readonly own: number
  readonly wait: number
  readonly dynamics: number
}

export interface RequestMetrics {
  readonly done: (request: RequestDone) => void
  readonly collect: readonly Collect[]
}

/** Series of requests at most; names of callers may come from tokens, and so have no end. */
const MOST = 600

/** Names that a token may bear are cut. */
const LONGEST_NAME = 64

const OTHER = 'other'

/** Upper bounds of the buckets, in seconds. */
const OWN = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1]
const WAIT = [0.001, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30]
const DYNAMICS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120]

/** Counts requests by method, class of status and caller, and where their time went: a fraction of a microsecond. */
export function requestMetrics(): RequestMetrics {
  /** By caller, by method: one count for each class of status. */
  const counts = new Map<string, Map<string, number[]>>()
  let series = 0
  const own = histogram('gateway_own_seconds', 'Time that the gateway itself took for a request.', OWN)
  const wait = histogram('gateway_wait_seconds', 'Time that a request waited for its turn and for limits.', WAIT)
  const dynamics = histogram('gateway_dynamics_seconds', "Time from sending to the head of Dynamics' answer.", DYNAMICS)

  function byClass(caller: string, method: string): number[] {
    let byMethod = counts.get(caller)
    let byClass = byMethod?.get(method)
    if (byClass !== undefined) return byClass
    if (series >= MOST - 40 && caller !== OTHER) return countsOf(OTHER, method)
    series += 5
    if (byMethod === undefined) counts.set(caller, (byMethod = new Map()))
    byMethod.set(method, (byClass = [0, 0, 0, 0, 0, 0]))
    return byClass
  }

  function countsOf(caller: string, method: string): number[] {
    return byClass(caller, METHODS.includes(method) ? method : OTHER)
  }

  return {
    done(request) {
      const { caller, status } = request
      const name = caller.length > LONGEST_NAME ? caller.slice(0, LONGEST_NAME) : caller
      countsOf(name, request.method)[Math.min(Math.trunc(status / 100), 5)]!++
      own.observe(request.own / 1000)
      wait.observe(request.wait / 1000)
      dynamics.observe(request.dynamics / 1000)
    },
    collect: [
      read(
        'gateway_requests_total',
        'Requests by method, class of status and caller.',
        () => values(counts),
        'counter',
      ),
      own.collect,
      wait.collect,
      dynamics.collect,
    ],
  }
}

function values(counts: ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>): Value[] {
  const all: Value[] = []
  for (const [caller, byMethod] of counts) {
    for (const [method, byClass] of byMethod) {
      for (const [digit, value] of byClass.entries()) {
        if (value > 0) all.push({ labels: { method, status: `${digit}xx`, caller }, value })
      }
    }
  }
  return all
}
