import { explanationOf } from '../explain-request.ts'
import { blanked, isPlain } from './blank.ts'
import { factsOf } from './facts.ts'
import type { FinishedRequest } from './finished-request.ts'
import { namesOf, shownHeaders } from './header-lines.ts'
import type { InspectorRecord } from './record.ts'
import { attemptsOf, rounded, timesOf } from './timeline.ts'

/** The inspector's record of a finished request. */
export function recordOf(finished: FinishedRequest): InspectorRecord {
  const { at, method, requestTarget, rawHeaders, facts, exchange, reached, responseHeaders, ownHeaders, captured } =
    finished
  const { record } = exchange
  const { status, ms, entitySet, caller } = facts
  return {
    id: exchange.id,
    at,
    method,
    path: blanked(requestTarget),
    entitySet,
    target: reached?.target.name,
    status,
    code: exchange.code ?? record.dynamicsCode,
    ms: rounded(ms),
    caller,
    user: facts.user,
    explanation: explanationOf(exchange, reached, status),
    facts: factsOf(finished),
    times: timesOf(exchange, ms),
    attempts: attemptsOf(record),
    isPlain: reached !== undefined && isPlain(requestTarget) && !finished.namesUser,
    responder: responseHeaders !== undefined && exchange.code === undefined ? 'Dynamics' : 'gateway',
    requestHeaders: namesOf(rawHeaders),
    responseHeaders: namesOf(ownHeaders?.flatMap((name) => [name, '']) ?? responseHeaders!),
    captured:
      captured === undefined
        ? undefined
        : { ...captured, target: requestTarget, headers: shownHeaders(rawHeaders, reached) },
  }
}
