import { SpanKind } from '@opentelemetry/api'
import type { SpanContext } from '@opentelemetry/api'

import { newSpanId } from '../../dynamics/request-record.ts'
import type { RequestRecord, Wait, WaitReason } from '../../dynamics/request-record.ts'
import { FinishedSpan, followClock } from './finished-span.ts'
import type { SpanFacts, SpanOrigin } from './finished-span.ts'
import { clientAttributes, serverAttributes, spanName } from './span-attributes.ts'
import type { TracedRequest } from './traced-request.ts'

/**
 * The spans of a completed request, made from its record: one for the request, one for each wait, and one for each
 * attempt. The lookups of its user are below the wait for them. Spans have only what the log may have: no query, key,
 * header value, body or address of a person.
 */
export function spansOf(request: TracedRequest, origin: SpanOrigin): readonly FinishedSpan[] {
  const { record, facts, environment } = request
  const { traceId, parentId, spanId } = record.trace!
  const ended = record.started + facts.ms
  const spans: FinishedSpan[] = []
  const root = contextOf(spanId)
  const add = (span: SpanFacts): void => void spans.push(new FinishedSpan(span, origin))
  followClock()

  add({
    name: spanName(facts.method, facts.entitySet),
    kind: SpanKind.SERVER,
    context: root,
    parent: parentId === undefined ? undefined : { ...contextOf(parentId), isRemote: true },
    start: record.started,
    end: ended,
    attributes: serverAttributes(request),
    isFailed: facts.status >= 499,
  })
  addAttempts(record, root)
  const user = addWaits(record, root)
  for (const lookup of record.lookups ?? []) {
    const parent = user !== undefined && lookup.started <= user.end ? user.context : root
    addAttempts(lookup, parent)
    addWaits(lookup, parent)
  }
  return spans

  function addAttempts(part: RequestRecord, parent: SpanContext): void {
    let resends = 0
    const attempts = part.allAttempts()
    for (const attempt of attempts) {
      const { start, ms, status = 0 } = attempt
      add({
        name: spanName(attempt.method, part.entitySet),
        kind: SpanKind.CLIENT,
        context: contextOf(attempt.spanId),
        parent,
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
  function addWaits({ waits }: RequestRecord, parent: SpanContext): Pick<SpanFacts, 'context' | 'end'> | undefined {
    let user
    for (const wait of waits ?? []) {
      const span = waitSpan(wait, contextOf(undefined), parent)
      add(span)
      if (wait.reason === 'user') user = span
    }
    return user
  }

  function contextOf(spanId = newSpanId()): SpanContext {
    return { traceId, spanId, traceFlags: SAMPLED_FLAG }
  }
}

const SAMPLED_FLAG = 1

const SPAN_NAMES: Readonly<Record<WaitReason, string>> = {
  token: 'token',
  user: 'user',
  queue: 'wait',
  pause: 'wait',
  retry: 'wait',
}

function waitSpan({ reason, start, ms }: Wait, context: SpanContext, parent: SpanContext): SpanFacts {
  const name = SPAN_NAMES[reason]
  const attributes = name === 'wait' ? { 'gateway.wait_reason': reason } : {}
  return { name, kind: SpanKind.INTERNAL, context, parent, start, end: start + ms, attributes, isFailed: false }
}
