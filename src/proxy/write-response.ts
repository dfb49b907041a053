import type { ServerResponse } from 'node:http'

import { decodedSink } from '../dynamics/decoded-sink.ts'
import type { ResponseBody, Sink } from '../dynamics/send.ts'
import type { ContentCoding } from '../outbound/content-coding.ts'
import { atEndOfTurn } from '../server/end-of-turn.ts'
import { CoalescedResponse } from './coalesced-response.ts'
import { framed } from './response-parts.ts'
import type { ResponseParts } from './response-parts.ts'
import { streamed } from './streamed-response.ts'

/**
 * Writes a response to the caller. A short or complete one is a single write. Otherwise the body
 * is written as it arrives, no faster than the caller reads. A truncated one becomes an error if nothing has been sent;
 * later it resets the caller's connection. It is never ended as if it were complete.
 */
export function writeResponse(body: ResponseBody, raw: ServerResponse, parts: ResponseParts): void {
  const { status, headers, contentLength, hasBody, transform } = parts
  // An empty body is not valid gzip, but some services label it so.
  const coding = contentLength === '0' ? undefined : parts.coding
  if (!hasBody) {
    raw.writeHead(status, framed(headers, transform === undefined ? contentLength : undefined))
    body.pipeTo(withoutBody(raw))
  } else if (coding === undefined && isShort(body, contentLength)) {
    body.pipeTo(new CoalescedResponse(raw, parts))
  } else {
    const length = transform === undefined && coding === undefined ? contentLength : undefined
    const plain = streamed(raw, parts, () => raw.writeHead(status, framed(headers, length)))
    body.pipeTo(coding === undefined ? plain : decoded(raw, coding, plain))
  }
}

/** Whether the body has arrived, or its rest is on its way. */
function isShort({ complete, bufferedBytes }: ResponseBody, contentLength: string | undefined): boolean {
  return (complete ? bufferedBytes : Number(contentLength ?? Infinity)) <= COALESCE_BELOW_BYTES
}

/** For responses without a body. Bytes that come nevertheless are discarded. */
function withoutBody(raw: ServerResponse): Sink {
  atEndOfTurn({ run: () => raw.end() })
  return { resume: undefined, write: () => true, end: () => undefined, fail: () => undefined }
}

/** Responses up to this Content-Length are a single write, because their rest is already on its way. */
const COALESCE_BELOW_BYTES = 64 * 1024

function decoded(raw: ServerResponse, coding: ContentCoding, plain: Sink): Sink {
  const sink = decodedSink(coding, plain)
  raw.on('close', sink.destroy)
  return sink
}
