import { CALLER_METHODS } from '../server/caller-methods.ts'
import { counter, histogram, read } from './series.ts'
import type { Collect, Value } from './series.ts'

/** One finished request. Times are milliseconds. */
export interface RequestDone {
  /** The target's name; `none` if it was refused before. */
  readonly target: string
  readonly method: string
  readonly status: number
  /** The code of the gateway's own error without `GATEWAY_`; `undefined` without one. */
  readonly code: string | undefined
  /** The caller's name in the settings. */
  readonly caller: string
  /** The source of a response to a read; `undefined` for writes and the gateway's own responses. */
  readonly source?: 'dynamics' | 'memory' | 'shared' | undefined
  /** Time of the gateway itself, without waiting and Dynamics. */
  readonly own: number
  readonly wait: number
  readonly dynamics: number
  /** How it got its connection to Dynamics, where it got one. */
  readonly connection?: string | undefined
  /** Pages that were read for a stream of rows, and rows that were written. */
  readonly pages?: number
  readonly rows?: number
  /** Its trace, where that is kept. */
  readonly traceId?: string | undefined
}

export interface RequestMetrics {
  readonly done: (request: RequestDone) => void
  readonly collect: readonly Collect[]
}

/** Limit of series. Names of callers may come from tokens, so their number is unlimited. */
const MAX_SERIES = 500

/** Beyond this number, new callers are counted together. */
const MAX_NAMED_SERIES = 440

/** Longer names are truncated. */
const MAX_NAME_LENGTH = 64

const OTHER = 'other'

/** The most finished requests that are not counted yet. */
const MAX_UNCOUNTED = 100

/** Upper bounds of the buckets, in seconds. */
const GATEWAY_BUCKETS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1]
const WAIT_BUCKETS_S = [0.001, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30]
const DYNAMICS_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120]

/** The series of one caller at one target: by method, status and the gateway's error, if any. */
type Series = Map<number | string, { readonly labels: Labels; value: number }>

interface Labels extends Readonly<Record<string, string>> {
  readonly target: string
  readonly method: string
  readonly status: string
  readonly code: string
  readonly caller: string
}

/** Counts requests and their times, in a fraction of a microsecond. */
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
  const reads = counter(
    'gateway_reads_total',
    'Responses to reads: from Dynamics, from memory, or shared with an identical read.',
    'target',
    'source',
  )
  const own = histogram('gateway_own_seconds', 'Time of the gateway itself for a request.', GATEWAY_BUCKETS_S)
  const wait = histogram(
    'gateway_wait_seconds',
    'Time that a request waited in the queue and for limits.',
    WAIT_BUCKETS_S,
  )
  const dynamics = histogram(
    'gateway_dynamics_seconds',
    "Time from sending to the head of Dynamics' response.",
    DYNAMICS_BUCKETS_S,
  )

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
    if (size >= MAX_NAMED_SERIES && caller !== OTHER) return count(OTHER, target, { method, status, code })
    // All label values come from the settings or this program, except Dynamics' statuses.
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

  /** Streams of rows, by target. */
  const streams = new Map<string, { pages: number; rows: number }>()

  function countRows(target: string, pages: number, rows: number): void {
    let sums = streams.get(target)
    if (sums === undefined) streams.set(target, (sums = { pages: 0, rows: 0 }))
    sums.pages += pages
    sums.rows += rows
  }

  const sumsOf = (of: 'pages' | 'rows'): Value[] =>
    [...streams].map(([target, sums]) => ({ labels: { target }, value: sums[of] }))

  /** Finished requests that are not counted yet: many in a row take a fraction of the time. */
  let uncounted: RequestDone[] = []

  function countAll(): void {
    const requests = uncounted
    uncounted = []
    requests.forEach(countRequest)
  }

  /** Counts the waiting requests before a scrape. */
  const afterCounting =
    (collect: Collect): Collect =>
    () => {
      countAll()
      return collect()
    }

  function countRequest(request: RequestDone): void {
    const { caller, target, traceId, connection, pages = 0, rows = 0 } = request
    if (request.source !== undefined) reads.count(target, request.source)
    if (connection !== undefined) connections.count(target, connection)
    if (pages > 0) countRows(target, pages, rows)
    count(caller.length > MAX_NAME_LENGTH ? caller.slice(0, MAX_NAME_LENGTH) : caller, target, request)
    own.observe(request.own / 1000, traceId)
    wait.observe(request.wait / 1000, traceId)
    dynamics.observe(request.dynamics / 1000, traceId)
  }

  return {
    done(request) {
      // The exemplar of a trace has the time of its request.
      if (request.traceId !== undefined) return countRequest(request)
      uncounted.push(request)
      if (uncounted.length === MAX_UNCOUNTED) countAll()
    },
    collect: [
      read(
        'gateway_requests_total',
        "Requests by target, method, status, the gateway's own error and caller.",
        () =>
          [...callers.values()].flatMap((targets) => [...targets.values()].flatMap((series) => [...series.values()])),
        'counter',
      ),
      reads.collect,
      connections.collect,
      read('gateway_rows_pages_total', 'Pages that were read for streams of rows.', () => sumsOf('pages'), 'counter'),
      read('gateway_rows_total', 'Rows that were written as lines.', () => sumsOf('rows'), 'counter'),
      own.collect,
      wait.collect,
      dynamics.collect,
    ].map(afterCounting),
  }
}

type CountedBy = Pick<RequestDone, 'method' | 'status' | 'code'>

/** 000, 100 … 900. */
const STATUS_CLASSES = 10
