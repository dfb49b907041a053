import type { IncomingHttpHeaders } from 'node:http'

import type { Reading } from '../dynamics/send.ts'

/**
 * How a request may be answered without a call of its own; `undefined` where it must not be: writes, conditional and
 * partial reads, and what runs in the background.
 *
 * @param headers the caller's
 * @param identity `undefined` where nothing says for certain as whom it runs
 */
export function readingOf(
  method: string | undefined,
  headers: IncomingHttpHeaders,
  identity: string | undefined,
): Reading | undefined {
  if (
    method !== 'GET' ||
    identity === undefined ||
    isConditional(headers) ||
    /respond-async/i.test(String(headers['prefer']))
  ) {
    return undefined
  }
  return { identity, mustBeSent: mustBeSent(headers) }
}

function isConditional(headers: IncomingHttpHeaders): boolean {
  const ifNoneMatch = headers['if-none-match']
  return (
    headers['range'] !== undefined ||
    headers['if-match'] !== undefined ||
    headers['if-modified-since'] !== undefined ||
    headers['if-unmodified-since'] !== undefined ||
    (ifNoneMatch !== undefined && !isNoCondition(ifNoneMatch))
  )
}

/** Whether `If-None-Match` holds the word that clients of Dataverse send so that browsers keep nothing. */
export function isNoCondition(ifNoneMatch: string): boolean {
  return ifNoneMatch.trim().toLowerCase() === 'null'
}

/** `Consistency: Strong` asks Dataverse for the newest definitions, so it must reach Dataverse. */
function mustBeSent(headers: IncomingHttpHeaders): boolean {
  const cacheControl = headers['cache-control']
  return (
    (cacheControl !== undefined && NOT_FROM_MEMORY.test(cacheControl)) ||
    headers['pragma']?.includes('no-cache') === true ||
    headers['consistency'] !== undefined
  )
}

const NOT_FROM_MEMORY = /\bno-cache\b|\bno-store\b|\bmax-age\s*=\s*"?0+\b/i
