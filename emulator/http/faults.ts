/** Which requests a fault affects; without `method` and `path`, the next one. */
export interface FaultMatch {
  readonly method?: string
  /** A text that path and query contain, or a pattern that they match. */
  readonly path?: string | RegExp
  /** How many matching requests pass first. */
  readonly skip?: number
  /** How many requests it affects; 1 when absent. */
  readonly times?: number
}

/** Faults of the transport, for both services. */
export type TransportFault =
  /** The connection is reset when the request has arrived, before any response; nothing is executed. */
  | { readonly kind: 'reset' }
  /** No response, ever. */
  | { readonly kind: 'hang' }
  /** The response comes `ms` milliseconds late. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** The request is executed, then the connection is reset instead of a response. */
  | { readonly kind: 'reset after commit' }
  /** The head and half of the body, then nothing more. */
  | { readonly kind: 'hang in body' }
  /** The head and half of the body, then a reset. */
  | { readonly kind: 'half' }
  /** The body in pieces of `size` bytes, `ms` milliseconds apart. */
  | { readonly kind: 'slow'; readonly size: number; readonly ms: number }
  /** A complete response, after which the connection is closed without notice. */
  | { readonly kind: 'close after' }
  /** A response with `size` bytes of extra headers; 65536 when absent. */
  | { readonly kind: 'big head'; readonly size?: number }
  /** A response whose head is not HTTP. */
  | { readonly kind: 'invalid head' }
  /** A given response. */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly body?: string | Buffer
      readonly headers?: Readonly<Record<string, string>>
    }
  /** An HTML page with 502 or another status, as from a load balancer. */
  | { readonly kind: 'html'; readonly status?: number }
  /** 503, with Retry-After when given. */
  | { readonly kind: 'unavailable'; readonly retryAfter?: number | 'date' }

/** The three service protection limits. */
export type Limit = 'count' | 'time' | 'concurrency'

/** Faults of Dataverse. */
export type DataverseFault = FaultMatch &
  (
    | TransportFault
    /** 429 of one kind; `retryAfter` in seconds, as an HTTP date with `asDate`. */
    | { readonly kind: 'throttle'; readonly limit?: Limit; readonly retryAfter?: number; readonly asDate?: boolean }
    /** 500 for a database deadlock: rolled back, so a retry is safe. */
    | { readonly kind: 'deadlock' }
    /** 401; with `claims`, the challenge of continuous access evaluation. */
    | { readonly kind: 'challenge'; readonly claims?: string }
  ) & {
    /** Affects a part of a `$batch` instead of a request. Only for faults that send a response. */
    readonly inBatch?: boolean
  }

/** Faults of Microsoft Entra. Without `path` they affect the token endpoint. */
export type EntraFault = FaultMatch &
  (
    | TransportFault
    /** An error by its AADSTS number, with the status and text that Entra gives it. */
    | { readonly kind: 'aadsts'; readonly number: number }
    /** 429 with Retry-After when given. */
    | { readonly kind: 'throttle'; readonly retryAfter?: number }
    /** 200 without a body; with `null`; with text that is not JSON; with JSON without an access token. */
    | { readonly kind: 'empty' | 'null' | 'garbage' | 'no token' }
    /** 500 with a body that is not JSON. */
    | { readonly kind: 'crash' }
  )

/** Faults that wait for matching requests, in order. */
export interface FaultQueue<Fault extends FaultMatch> {
  push(...faults: readonly Fault[]): void
  /** Affects every matching request, until `clear` or another `always`. */
  always(fault: Fault | undefined): void
  clear(): void
  /** How many faults still wait. */
  readonly pending: number
}

/** The server's side of the queue. */
export interface FaultSource<Fault extends FaultMatch> extends FaultQueue<Fault> {
  take(method: string, target: string, eligible: (fault: Fault) => boolean): Fault | undefined
}

/** An empty queue. */
export function createFaultQueue<Fault extends FaultMatch>(): FaultSource<Fault> {
  let queue: { readonly fault: Fault; skip: number; times: number }[] = []
  let permanent: Fault | undefined

  return {
    push: (...faults) => {
      for (const fault of faults) queue.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1 })
    },
    always: (fault) => void (permanent = fault),
    clear: () => {
      queue = []
      permanent = undefined
    },
    get pending() {
      return queue.length
    },
    take(method, target, eligible) {
      for (const entry of queue) {
        if (!matches(entry.fault, method, target) || !eligible(entry.fault)) continue
        if (entry.skip-- > 0) continue
        entry.times -= 1
        if (entry.times <= 0) queue = queue.filter((each) => each !== entry)
        return entry.fault
      }
      return permanent && matches(permanent, method, target) && eligible(permanent) ? permanent : undefined
    },
  }
}

function matches({ method, path }: FaultMatch, actualMethod: string, target: string): boolean {
  if (method !== undefined && method !== actualMethod) return false
  if (path === undefined) return true
  return typeof path === 'string' ? target.includes(path) : path.test(target)
}
