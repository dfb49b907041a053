import type { RequestRecord, Wait, WaitReason } from '../../dynamics/request-record.ts'
import { newSpanId } from '../../dynamics/trace-context.ts'
import { clientAttributes, serverAttributes, spanName } from './span-attributes.ts'
import { SPAN_KIND } from './span.ts'
import type { Span } from './span.ts'
import type { TracedRequest } from './traced-request.ts'
import { followClock } from './unix-time.ts'

/**
 * The spans of a completed request, made from its record: one for the request, one for each wait, and one for each
 * attempt. The lookups of its user are below the wait for them. Spans have only what the log may have: no query, key,
 * header value, body or address of a person.
 */
export function spansOf(request: TracedRequest): readonly Span[] {
  const { record, facts, environment } = request
  const { traceId, parentId } = record.trace!
  const spanId = record.trace!.spanId!
  const ended = record.started + facts.ms
  const spans: Span[] = []
  followClock()

  spans.push({
    name: spanName(facts.method, facts.entitySet),
    kind: SPAN_KIND.server,
    traceId,
    spanId,
    parentId,
    isParentRemote: true,
    start: record.started,
    end: ended,
    attributes: serverAttributes(request),
    isFailed: facts.status >= 499,
  })
  addAttempts(record, spanId)
  const user = addWaits(record, spanId)
  for (const lookup of record.lookups ?? []) {
    const parent = user !== undefined && lookup.started <= user.end ? user.spanId : spanId
    addAttempts(lookup, parent)
    addWaits(lookup, parent)
  }
  return spans

  function addAttempts(part: RequestRecord, parent: string): void {
    let resends = 0
    const attempts = part.allAttempts()
    for (const attempt of attempts) {
      const { start, ms, status = 0 } = attempt
      spans.push({
        name: spanName(attempt.method, part.entitySet),
        kind: SPAN_KIND.client,
        traceId,
        spanId: attempt.spanId ?? newSpanId(),
        parentId: parent,
        isParentRemote: false,
        start,
        end: ms === undefined ? ended : start + ms,
        attributes: clientAttributes(part, attempt, { resends, isLast: attempt === attempts.at(-1) }, environment),
        isFailed: status === 0 || status >= 400,
      })
      // The next page of a stream of rows is a new request, not a retry.
      resends = attempt.resentFor === undefined ? 0 : resends + 1
    }
  }

  /** @returns the span of the wait for the user */
  function addWaits({ waits }: RequestRecord, parent: string): Span | undefined {
    let user
    for (const wait of waits ?? []) {
      const span = waitSpan(wait, traceId, parent)
      spans.push(span)
      if (wait.reason === 'user') user = span
    }
    return user
  }
}

const SPAN_NAMES: Readonly<Record<WaitReason, string>> = {
  token: 'token',
  user: 'user',
  queue: 'wait',
  pause: 'wait',
  retry: 'wait',
}

function waitSpan({ reason, start, ms }: Wait, traceId: string, parentId: string): Span {
  const name = SPAN_NAMES[reason]
  return {
    name,
    kind: SPAN_KIND.internal,
    traceId,
    spanId: newSpanId(),
    parentId,
    isParentRemote: false,
    start,
    end: start + ms,
    attributes: name === 'wait' ? { 'gateway.wait_reason': reason } : {},
    isFailed: false,
  }
}
