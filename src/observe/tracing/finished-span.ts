import { SpanStatusCode } from '@opentelemetry/api'
import type { Attributes, HrTime, SpanContext, SpanKind, SpanStatus } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'

/** The resource and scope of all spans of a gateway. */
export interface SpanOrigin {
  readonly resource: Resource
  readonly scope: ReadableSpan['instrumentationScope']
}

/** The facts of one span. */
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

/** A span as exporters read it. It is a class, because each request makes several. */
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
  readonly links = NO_ITEMS
  readonly events = NO_ITEMS
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
    this.status = facts.isFailed ? ERROR_STATUS : UNSET_STATUS
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

const NO_ITEMS: never[] = []
const UNSET_STATUS: SpanStatus = { code: SpanStatusCode.UNSET }
const ERROR_STATUS: SpanStatus = { code: SpanStatusCode.ERROR }

/** The time of `performance.now() === 0` by the machine's clock, in milliseconds since 1970. */
let clockOrigin = performance.timeOrigin

/** The greatest drift of the machine's clock, in ms. Drift occurs when the clock is set or the machine is suspended. */
const MAX_DRIFT_MS = 10

/** Corrects drift. It is called once per request, so that the spans of a request fit together. */
export function followClock(): void {
  const drift = Date.now() - (clockOrigin + performance.now())
  if (Math.abs(drift) > MAX_DRIFT_MS) clockOrigin += drift
}

/** Seconds since 1970, and nanoseconds. */
function hrTime(time: number): HrTime {
  const ms = clockOrigin + time
  return [Math.trunc(ms / 1000), Math.trunc((ms % 1000) * 1e6)]
}
