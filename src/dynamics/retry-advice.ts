import type { OutboundRequest } from './send.ts'

/** The advice when it is unknown whether a write was executed. */
const PERHAPS_MADE = 'The change may have been made. Check before you send it again.'

/** The advice after a create with an `Idempotency-Key`. */
const SEND_AGAIN = 'Send the create again with the same Idempotency-Key: it makes one row.'

/** `error`, with a warning for the caller that the request may have been executed. */
export function withRetryAdvice<E extends Error>(
  error: E,
  { repeatable, idempotency }: Pick<OutboundRequest, 'repeatable' | 'idempotency'>,
): E {
  if (idempotency !== undefined) return safeToRepeat(error)
  return repeatable === 'read' ? error : perhapsMade(error)
}

/** `error`, with the warning that the request may have been executed although no response came. */
function perhapsMade<E extends Error>(error: E): E {
  if (!error.message.endsWith(PERHAPS_MADE)) error.message += ` ${PERHAPS_MADE}`
  return error
}

/** The same for a create with an `Idempotency-Key`, which may be sent again without a check. */
function safeToRepeat<E extends Error>(error: E): E {
  const message = error.message.replace(PERHAPS_MADE, '').trimEnd()
  error.message = message.endsWith(SEND_AGAIN) ? message : `${message} ${SEND_AGAIN}`
  return error
}
