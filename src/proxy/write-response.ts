import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'

import { decodedSink } from '../dynamics/decoded-sink.ts'
import type { ResponseBody, Sink } from '../dynamics/send.ts'
import { textOf, rewriteChunk, rewriteComplete } from '../odata/text-transform.ts'
import type { TextTransform } from '../odata/text-transform.ts'
import type { ContentCoding } from '../outbound/content-coding.ts'
import { atEndOfTurn } from '../server/end-of-turn.ts'
import type { Deferred } from '../server/end-of-turn.ts'
import type { PageDetector } from './foreign-response.ts'

/** The parts of a response to the caller. */
export interface ResponseParts {
  readonly status: number
  /** Flat, without the framing. */
  readonly headers: string[]
  /** Dynamics' Content-Length. */
  readonly contentLength: string | undefined
  /** Whether this status, to this method, has a body at all. */
  readonly hasBody: boolean
  /** The coding to decode, because links inside must be rewritten. */
  readonly coding: ContentCoding | undefined
  /** Rewrites links. */
  readonly transform: TextTransform | undefined
  /** Checks the first bytes of the body: they may show that the response is not Dynamics' own. */
  readonly pageDetector?: PageDetector | undefined
  /** Responds with an error instead of a body that cannot be forwarded, if nothing has been sent yet. */
  readonly refuse: (cause: unknown) => void
}

/**
 * Writes a response to the caller. A short or complete one is a single write. Otherwise the body
 * is written as it arrives, no faster than the caller reads. A truncated one becomes an error if nothing has been sent;
 * later it resets the caller's connection. It is never ended as if it were complete.
 */
export function writeResponse(body: ResponseBody, raw: ServerResponse, delivery: ResponseParts): void {
  const { status, headers, contentLength, hasBody, transform } = delivery
  // An empty body is not valid gzip, but some services label it so.
  const coding = contentLength === '0' ? undefined : delivery.coding
  if (!hasBody) {
    raw.writeHead(status, framed(headers, transform === undefined ? contentLength : undefined))
    body.pipeTo(withoutBody(raw))
  } else if (coding === undefined && isShort(body, contentLength)) {
    body.pipeTo(new CoalescedResponse(raw, delivery))
  } else {
    const length = transform === undefined && coding === undefined ? contentLength : undefined
    const plain = streamed(raw, delivery, () => raw.writeHead(status, framed(headers, length)))
    body.pipeTo(coding === undefined ? plain : decoded(raw, coding, plain))
  }
}

/** Whether the body has arrived, or its rest is on its way. */
function isShort({ complete, bufferedBytes }: ResponseBody, contentLength: string | undefined): boolean {
  return (complete ? bufferedBytes : Number(contentLength ?? Infinity)) <= COALESCE_BELOW_BYTES
}

function framed(headers: string[], contentLength: string | undefined): string[] {
  if (contentLength !== undefined) headers.push('content-length', contentLength)
  return headers
}

/** For responses without a body. Bytes that come nevertheless are discarded. */
function withoutBody(raw: ServerResponse): Sink {
  atEndOfTurn({ run: () => raw.end() })
  return { resume: undefined, write: () => true, end: () => undefined, fail: () => undefined }
}

/** Responses up to this Content-Length are a single write, because their rest is already on its way. */
const COALESCE_BELOW_BYTES = 64 * 1024

/** Instead of an array for each response without a body. Nothing is ever added to it. */
const NO_PIECES: string[] = []

/** For a body that has arrived, or will soon: a single write. */
class CoalescedResponse implements Sink, Deferred {
  resume: (() => void) | undefined = undefined
  readonly #raw: ServerResponse
  readonly #parts: ResponseParts
  #pieces: string[] = NO_PIECES
  #text = ''

  constructor(raw: ServerResponse, parts: ResponseParts) {
    this.#raw = raw
    this.#parts = parts
  }

  write(chunk: Buffer): boolean {
    const text = textOf(chunk)
    if (this.#pieces !== NO_PIECES) this.#pieces.push(text)
    else {
      this.#parts.pageDetector?.check(chunk)
      this.#pieces = [text]
    }
    return true
  }

  end(): void {
    const { transform } = this.#parts
    try {
      this.#text = transform === undefined ? this.#pieces.join('') : rewriteComplete(transform, this.#pieces)
    } catch (cause) {
      return this.fail(cause)
    }
    atEndOfTurn(this)
  }

  run(): void {
    const { status, headers } = this.#parts
    try {
      this.#raw.writeHead(status, framed(headers, String(this.#text.length)))
    } catch (cause) {
      return this.fail(cause)
    }
    writeOnce(this.#raw, this.#text)
  }

  fail(cause: unknown): void {
    this.#parts.refuse(cause)
  }
}

/**
 * Writes head and body in one write. As text the body joins the head. And a socket that is already corked is not corked
 * by Node until its next tick, when `end` would have added an empty piece: two pieces need a `writev`, which costs half
 * as much again.
 *
 * @param body in Latin-1
 * @until Node writes the body of `end` in one piece with the head
 */
function writeOnce(raw: ServerResponse, body: string): void {
  const { socket } = raw
  socket?.cork()
  raw.write(body, 'latin1')
  socket?.uncork()
  raw.end()
}

/** Buffered bytes of one response, for a caller that is slower than Dynamics. */
export const HIGH_WATER_BYTES = 256 * 1024

/**
 * For a streamed body. Chunks that arrive in one turn of the event loop are written with one system call.
 *
 * The socket is corked, not the response: Node 22 and 24 write the terminating chunk of a corked response before the
 * data that the response still buffers, and may never emit `drain`.
 *
 * @until Node writes a corked response in order
 */
function streamed(raw: ServerResponse, { transform, pageDetector, refuse }: ResponseParts, begin: () => void): Sink {
  let corked: ServerResponse['socket'] = null
  let hasArrived = false
  let hasBegun = false
  let hasFailed = false
  const sink: Sink = {
    resume: undefined,
    write: (chunk) => {
      if (!hasArrived) pageDetector?.check(chunk)
      hasArrived = true
      const piece = transform === undefined ? chunk : rewriteChunk(transform, chunk)
      // A transform may buffer text that it cannot decide on yet.
      if (piece.length === 0) return true
      if (!hasBegun) beginOnce()
      if (corked === null && raw.socket !== null) {
        corked = raw.socket
        corked.cork()
        atEndOfTurn({ run: uncork })
      }
      // Node asks for a pause after 16 KiB. Each pause costs two system calls, more than the memory is worth.
      return raw.write(piece, 'latin1') || raw.writableLength < HIGH_WATER_BYTES
    },
    end: () => {
      const rest = transform?.end()
      if (!hasBegun) beginOnce()
      if (rest !== undefined) raw.write(rest, 'latin1')
      raw.end()
    },
    fail: (reason) => {
      if (hasFailed) return
      hasFailed = true
      if (hasBegun) reset(raw)
      else refuse(reason)
    },
  }
  raw.on('drain', () => sink.resume?.())
  return sink

  function beginOnce(): void {
    begin()
    hasBegun = true
  }

  function uncork(): void {
    corked?.uncork()
    corked = null
  }
}

function decoded(raw: ServerResponse, coding: ContentCoding, plain: Sink): Sink {
  const sink = decodedSink(coding, plain)
  raw.on('close', sink.destroy)
  return sink
}

/** Resets the caller's connection, so that a truncated response does not look complete. */
function reset(raw: ServerResponse): void {
  const { socket } = raw
  // A Unix socket has no reset.
  if (socket instanceof Socket && socket.remoteAddress !== undefined && !('encrypted' in socket)) {
    socket.resetAndDestroy()
  } else {
    raw.destroy()
  }
}
