import { perhapsMade, safeToRepeat } from '../errors.ts'
import type { OutboundRequest } from './send.ts'

/** `error`, with a warning for the caller that the request may have been executed. */
export function withRetryAdvice<E extends Error>(
  error: E,
  { repeatable, idempotency }: Pick<OutboundRequest, 'repeatable' | 'idempotency'>,
): E {
  if (idempotency !== undefined) return safeToRepeat(error)
  return repeatable === 'read' ? error : perhapsMade(error)
}
