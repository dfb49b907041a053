import type { OutboundRequest } from '../dynamics/send.ts'
import { isRead } from '../odata/methods.ts'

/**
 * Whether sending a request twice has the same effect as once.
 *
 * A PATCH without a condition updates or creates a row, so it is not idempotent. With If-Match it only
 * updates, with `If-None-Match: *` it only creates. Some clients send `If-None-Match: null`, which is not a condition.
 *
 * @param headers flat, for Dynamics
 */
export function repeatableAs(method: string, headers: readonly string[]): OutboundRequest['repeatable'] {
  if (isRead(method)) return 'read'
  switch (method) {
    case 'PUT':
    case 'DELETE':
      return 'idempotent'
    case 'PATCH':
      return hasCondition(headers) ? 'idempotent' : 'never'
    default:
      return 'never'
  }
}

function hasCondition(headers: readonly string[]): boolean {
  return headers.some((text, index) => index % 2 === 0 && isCondition(text, headers[index + 1]!))
}

function isCondition(name: string, value: string): boolean {
  const lower = name.toLowerCase()
  return lower === 'if-match' || (lower === 'if-none-match' && value.trim() === '*')
}
