import { isBatch } from '../../odata/batch-path.ts'
import type { OnEvent } from '../events.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../send.ts'
import { createAdaptiveLimit } from './adaptive-limit.ts'
import type { LimitReason } from './adaptive-limit.ts'
import type { ResponseTimes, CostClass } from './response-times.ts'
import { createSemaphore } from './semaphore.ts'
import type { Semaphore } from './semaphore.ts'

/** The places at Dynamics: as many as pays, by what is measured. */
export interface ConcurrencyControl {
  readonly semaphore: Semaphore
  /** How many requests may be at Dynamics at once, without trials; why; and what one key gets while others wait. */
  readonly state: () => {
    readonly limit: number
    readonly limitReason: LimitReason
    readonly share: number | undefined
  }
  /** Measures what passes. Belongs inside of {@link limitConcurrency}. */
  readonly measure: (send: Send) => Send
  /** Dynamics refused a request because there were too many at once. */
  readonly parallelismRefused: () => void
  /** Applies the degree of parallelism that Dynamics suggests. */
  readonly applyHint: (parallel: number) => void
}

export interface ConcurrencyControlOptions {
  /** The most that there may be. It may change while the gateway runs. */
  readonly ceiling: () => number
  /** How many requests may wait. */
  readonly queue: number
  readonly onEvent: OnEvent
  /** Called when there may be more places than before. */
  readonly onChange: () => void
}

/** @param clock milliseconds, rising */
export function createConcurrencyControl(
  { ceiling, queue, onEvent, onChange: changed }: ConcurrencyControlOptions,
  clock: () => number = () => performance.now(),
): ConcurrencyControl {
  const adaptive = createAdaptiveLimit(ceiling, clock)
  let hint: number | undefined
  let reportedLimit = adaptive.settled().limit
  const semaphore = createSemaphore({ limit: adaptive.current, share: () => hint ?? Infinity, queue, onEvent })

  function applyLimit(): void {
    const { limit, reason } = adaptive.settled()
    if (limit !== reportedLimit) {
      reportedLimit = limit
      onEvent({ kind: 'concurrency', limit, reason })
    }
    semaphore.admitWaiters()
    changed()
  }

  function responseArrived(
    times: ResponseTimes,
    request: OutboundRequest,
    response: UpstreamResponse,
    began: number,
  ): void {
    // Refusals and errors cost Dynamics less, and retries include a pause.
    if (response.status >= 400 || request.record.attempts > 1) return
    adaptive.answered(times, costClassOf(request), clock() - began)
    applyLimit()
  }

  return {
    semaphore,
    state: () => ({ limit: adaptive.settled().limit, limitReason: adaptive.settled().reason, share: hint }),
    measure: (send) => (request) => {
      // While places are free the limit does not matter; a body that flows takes as long as its sender.
      const times = semaphore.isFull() && !isStream(request) ? adaptive.sent() : undefined
      if (times === undefined) return send(request)
      const began = clock()
      return send(request).then((response) => {
        responseArrived(times, request, response, began)
        return response
      })
    },
    parallelismRefused() {
      // The refused request has released its place already.
      adaptive.refused(semaphore.state().running + 1)
      applyLimit()
    },
    applyHint(parallel) {
      const isFirst = hint === undefined
      hint = Math.max(1, Math.floor(parallel))
      if (isFirst) adaptive.start(hint)
      applyLimit()
    },
  }
}

function isStream({ body }: OutboundRequest): boolean {
  return body !== undefined && !Buffer.isBuffer(body)
}

function costClassOf({ repeatable, path }: OutboundRequest): CostClass {
  if (repeatable === 'read') return 'read'
  return isBatch(path) ? 'batch' : 'write'
}
