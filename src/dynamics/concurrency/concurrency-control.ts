import { isBatch } from '../../odata/batch-path.ts'
import type { CreateStage } from '../chain.ts'
import type { OnEvent } from '../events.ts'
import type { UpstreamResponse, OutboundRequest } from '../send.ts'
import { createAdaptiveLimit } from './adaptive-limit.ts'
import type { LimitReason } from './adaptive-limit.ts'
import type { ResponseTimes, CostClass } from './response-times.ts'
import { createSemaphore } from './semaphore.ts'
import type { Semaphore } from './semaphore.ts'

/** Limits the concurrent requests at Dynamics. The limit follows the measured throughput. */
export interface ConcurrencyControl {
  readonly semaphore: Semaphore
  /** The limit outside of trials, the reason for it, and the share of one key while others wait. */
  readonly state: () => {
    readonly limit: number
    readonly limitReason: LimitReason
    readonly share: number | undefined
  }
  /** Makes the stage that measures requests. It comes after {@link limitConcurrency}. */
  readonly measure: CreateStage
  /** Dynamics refused a request because too many ran at once. */
  readonly parallelismRefused: () => void
  /** Applies the degree of parallelism that Dynamics suggests. */
  readonly applyHint: (parallel: number) => void
}

export interface ConcurrencyControlOptions {
  /** The highest limit. It may change while the gateway runs. */
  readonly ceiling: () => number
  /** The most requests that may wait. */
  readonly queue: number
  readonly onEvent: OnEvent
  /** Called when the limit may have changed. */
  readonly onChange: () => void
}

/** @param clock monotonic, in milliseconds */
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
    // Refusals and errors cost Dynamics less. The time of a retry includes a pause.
    if (response.status >= 400 || request.record.attempts > 1) return
    adaptive.answered(times, costClassOf(request), clock() - began)
    applyLimit()
  }

  return {
    semaphore,
    state: () => ({ limit: adaptive.settled().limit, limitReason: adaptive.settled().reason, share: hint }),
    measure: (next) => ({
      enter(request) {
        // While slots are free the limit has no effect. The time of a streamed body depends on its sender.
        const times = semaphore.isFull() && !isStream(request) ? adaptive.sent() : undefined
        if (times === undefined) return undefined
        const began = clock()
        return next(request).then((response) => {
          responseArrived(times, request, response, began)
          return response
        })
      },
    }),
    parallelismRefused() {
      // The refused request has already released its slot.
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
