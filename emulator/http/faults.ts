/** Which requests a fault waits for; without `method` and `path`, the next one. */
export interface FaultMatch {
  readonly method?: string
  /** A text that path and query hold, or a pattern for them. */
  readonly path?: string | RegExp
  /** Matching requests to let pass first. */
  readonly skip?: number
  /** How many requests it strikes; 1 when absent. */
  readonly times?: number
}

/** What can go wrong on the way, whoever answers. */
export type TransportFault =
  /** The connection is reset when the request has come in, before any answer; nothing is executed. */
  | { readonly kind: 'reset' }
  /** No answer, ever. */
  | { readonly kind: 'hang' }
  /** The answer comes `ms` milliseconds late. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** The request is executed, then the connection is reset in place of an answer. */
  | { readonly kind: 'reset after commit' }
  /** The head and half of the body, then nothing more. */
  | { readonly kind: 'hang in body' }
  /** The head and half of the body, then a reset. */
  | { readonly kind: 'half' }
  /** The body in pieces of `size` bytes, `ms` milliseconds apart. */
  | { readonly kind: 'slow'; readonly size: number; readonly ms: number }
  /** A whole answer, after which the connection is closed without notice. */
  | { readonly kind: 'close after' }
  /** An answer with `size` bytes of headers more; 65536 when absent. */
  | { readonly kind: 'big head'; readonly size?: number }
  /** An answer whose head is not HTTP. */
  | { readonly kind: 'invalid head' }
  /** An answer written here. */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly body?: string
      readonly headers?: Readonly<Record<string, string>>
    }
  /** 502 with an HTML page, as a load balancer answers; or another status. */
  | { readonly kind: 'html'; readonly status?: number }
  /** 503, with Retry-After when given. */
  | { readonly kind: 'unavailable'; readonly retryAfter?: number | 'date' }

/** A limit of service protection. */
export type Limit = 'count' | 'time' | 'concurrency'

/** What can go wrong in Dataverse. */
export type DataverseFault = FaultMatch &
  (
    | TransportFault
    /** 429 of one kind; `retryAfter` in seconds, as an HTTP date with `asDate`. */
    | { readonly kind: 'throttle'; readonly limit?: Limit; readonly retryAfter?: number; readonly asDate?: boolean }
    /** 500 for a database deadlock: rolled back, and may be repeated. */
    | { readonly kind: 'deadlock' }
    /** 401; with `claims`, the challenge of continuous access evaluation. */
    | { readonly kind: 'challenge'; readonly claims?: string }
  ) & {
    /** Strikes a part of a `$batch` rather than a whole request; only faults that answer can. */
    readonly inBatch?: boolean
  }

/** What can go wrong in Microsoft Entra. Without `path` it strikes the token endpoint. */
export type EntraFault = FaultMatch &
  (
    | TransportFault
    /** An error by its AADSTS number, with the status and text that Entra gives it. */
    | { readonly kind: 'aadsts'; readonly number: number }
    /** 429 with Retry-After when given. */
    | { readonly kind: 'throttle'; readonly retryAfter?: number }
    /** 200 without a body; with `null`; with text that is no JSON; with JSON that lacks the access token. */
    | { readonly kind: 'empty' | 'null' | 'garbage' | 'no token' }
    /** 500 whose body is no JSON. */
    | { readonly kind: 'crash' }
  )

/** Faults that wait for their requests, in order. */
export interface FaultQueue<Fault extends FaultMatch> {
  push(...faults: readonly Fault[]): void
  /** Strikes every matching request, until `clear` or another `always`. */
  always(fault: Fault | undefined): void
  clear(): void
  /** Faults that have not struck yet. */
  readonly pending: number
}

/** The queue as the server sees it. */
export interface FaultSource<Fault extends FaultMatch> extends FaultQueue<Fault> {
  take(method: string, target: string, eligible: (fault: Fault) => boolean): Fault | undefined
}

/** An empty queue. */
export function createFaultQueue<Fault extends FaultMatch>(): FaultSource<Fault> {
  let waiting: { readonly fault: Fault; skip: number; times: number }[] = []
  let standing: Fault | undefined

  return {
    push: (...faults) => {
      for (const fault of faults) waiting.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1 })
    },
    always: (fault) => void (standing = fault),
    clear: () => {
      waiting = []
      standing = undefined
    },
    get pending() {
      return waiting.length
    },
    take(method, target, eligible) {
      for (const entry of waiting) {
        if (!matches(entry.fault, method, target) || !eligible(entry.fault)) continue
        if (entry.skip-- > 0) continue
        entry.times -= 1
        if (entry.times <= 0) waiting = waiting.filter((each) => each !== entry)
        return entry.fault
      }
      return standing && matches(standing, method, target) && eligible(standing) ? standing : undefined
    },
  }
}

function matches({ method, path }: FaultMatch, actualMethod: string, target: string): boolean {
  if (method !== undefined && method !== actualMethod) return false
  if (path === undefined) return true
  return typeof path === 'string' ? target.includes(path) : path.test(target)
}
