import { explainGateway } from '../../explanations/gateway-errors.ts'
import type { UnreadableRequest } from '../../server/unreadable-request.ts'
import type { InspectorRecord } from './record.ts'

/** The inspector's record of a request that could not be read. Of its address it shows the entity set at most. */
export function unreadableRecord(request: UnreadableRequest): InspectorRecord {
  const { id, method, entitySet, status, code, message, cause } = request
  return {
    id,
    at: Date.now(),
    method,
    path: entitySet === 'other' ? '(unreadable)' : `/${entitySet}…`,
    entitySet,
    target: undefined,
    status,
    code,
    ms: 0,
    caller: 'unknown',
    user: undefined,
    explanation: explainGateway({ code, message, causes: cause === undefined ? [] : [cause], host: undefined }),
    facts: [
      ['Caller', 'unknown: the request was refused before'],
      ['Rules', 'not evaluated: the request was refused before'],
      ['Ran as', 'nobody: it was not sent'],
      ['Sent to Dynamics', 'no'],
      ['Request id', id],
    ],
    times: [],
    attempts: [],
    isPlain: false,
    responder: 'gateway',
    requestHeaders: [],
    responseHeaders: [],
    captured: undefined,
  }
}
