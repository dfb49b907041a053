import { SpanStatusCode } from '@opentelemetry/api'
import type { Attributes, HrTime, SpanContext, SpanKind, SpanStatus } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'

/** What all spans of a gateway share. */
export interface SpanOrigin {
  readonly resource: Resource
  readonly scope: ReadableSpan['instrumentationScope']
}

/** What tells one span from another. */
export interface SpanFacts {
  readonly name: string
  readonly kind: SpanKind
  readonly context: SpanContext
  readonly parent: SpanContext | undefined
  /** By `performance.now()`. */
  readonly start: number
  readonly end: number
  readonly attributes: Attributes
  readonly isFailed: boolean
}

/** A span as exporters read it. A class, because several are made for each request. */
export class FinishedSpan implements ReadableSpan {
  readonly name: string
  readonly kind: SpanKind
  readonly parentSpanContext?: SpanContext
  readonly startTime: HrTime
  readonly endTime: HrTime
  readonly attributes: Attributes
  readonly status: SpanStatus
  readonly resource: Resource
  readonly instrumentationScope: SpanOrigin['scope']
  readonly links = NONE
  readonly events = NONE
  readonly ended = true
  readonly droppedAttributesCount = 0
  readonly droppedEventsCount = 0
  readonly droppedLinksCount = 0
  readonly #context: SpanContext

  constructor(facts: SpanFacts, { resource, scope }: SpanOrigin) {
    this.name = facts.name
    this.kind = facts.kind
    this.#context = facts.context
    if (facts.parent !== undefined) this.parentSpanContext = facts.parent
    this.startTime = hrTime(facts.start)
    this.endTime = hrTime(facts.end)
    this.attributes = facts.attributes
    this.status = facts.isFailed ? FAILED : UNSET
    this.resource = resource
    this.instrumentationScope = scope
  }

  spanContext(): SpanContext {
    return this.#context
  }

  get duration(): HrTime {
    const seconds = this.endTime[0] - this.startTime[0]
    const nanoseconds = this.endTime[1] - this.startTime[1]
    return nanoseconds < 0 ? [seconds - 1, nanoseconds + 1e9] : [seconds, nanoseconds]
  }
}

const NONE: never[] = []
const UNSET: SpanStatus = { code: SpanStatusCode.UNSET }
const FAILED: SpanStatus = { code: SpanStatusCode.ERROR }

/** When `performance.now()` was 0, in milliseconds since 1970 by the machine's clock. */
let clockOrigin = performance.timeOrigin

/** How far the machine's clock may be from that, in milliseconds: it is set, and a suspended machine stops the other. */
const MAX_DRIFT_MS = 10

/** Follows the machine's clock. Not for each span, so that all spans of a request fit together. */
export function followClock(): void {
  const drift = Date.now() - (clockOrigin + performance.now())
  if (Math.abs(drift) > MAX_DRIFT_MS) clockOrigin += drift
}

/** Seconds since 1970, and nanoseconds. */
function hrTime(time: number): HrTime {
  const ms = clockOrigin + time
  return [Math.trunc(ms / 1000), Math.trunc((ms % 1000) * 1e6)]
}
