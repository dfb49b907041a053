import { INVALID_REPLY } from '../explanations/redis-errors.ts'
import { OwnError } from '../logging/own-error.ts'

// The types of replies are checked, because whoever answers in place of Redis can send any.

/** @throws OwnError for any other reply than an integer */
export function integerReply(reply: unknown): number {
  if (Number.isSafeInteger(reply)) return reply as number
  throw invalidReply('an integer')
}

/** @throws OwnError for any other reply than a text or nothing */
export function textReply(reply: unknown): string | null {
  if (typeof reply === 'string' || reply === null) return reply
  throw invalidReply('a text')
}

/**
 * The reply to TIME, in milliseconds.
 *
 * @throws OwnError for any other reply than seconds and microseconds
 */
export function timeReply(reply: unknown): number {
  const [seconds, microseconds] = Array.isArray(reply) ? (reply as unknown[]).map(Number) : []
  const time = Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
  if (Number.isSafeInteger(time)) return time
  throw invalidReply('a time')
}

function invalidReply(wanted: string): Error {
  return Object.assign(new OwnError(`a reply of Redis is not ${wanted}`), { code: INVALID_REPLY })
}
