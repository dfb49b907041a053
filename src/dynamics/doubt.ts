import { perhapsMade, safeToRepeat } from '../errors.ts'
import type { OutboundRequest } from './send.ts'

/** `error`, with what the caller of a request that may have been carried out should know before it sends it again. */
export function withDoubt<E extends Error>(
  error: E,
  { repeatable, idempotency }: Pick<OutboundRequest, 'repeatable' | 'idempotency'>,
): E {
  if (idempotency !== undefined) return safeToRepeat(error)
  return repeatable === 'read' ? error : perhapsMade(error)
}
