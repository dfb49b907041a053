import { Readable } from 'node:stream'

import { BodyTooLarge } from '../errors.ts'
import { OwnError } from '../logging/own-error.ts'
import { headersWithout } from '../odata/flat-headers.ts'
import { bytesOf, textOf, rewriteChunk, rewriteComplete } from '../odata/text-transform.ts'
import type { TextTransform } from '../odata/text-transform.ts'
import type { Stage } from './chain.ts'
import { isTurnOver, nextTurn } from './event-loop-share.ts'
import type { UpstreamResponse, OutboundRequest, Send } from './send.ts'

/**
 * Rewrites links to the gateway in a body as links to Dynamics: a buffered body before anything is sent, so that a
 * refused one has no effect; a larger one while it streams. When Dynamics responds before it has read all of it, the
 * rest of the caller's body is read and discarded. A large body takes several turns of the event loop, so that other
 * requests do not wait for it.
 *
 * @param limit of the caller's body, in bytes; a larger body ends the request with BodyTooLarge
 */
export function rewriteRequestBody(next: Send, limit: number): Stage {
  return {
    enter(request) {
      const { body, transform } = request
      if (body === undefined || (Buffer.isBuffer(body) && transform === undefined)) return undefined
      return sendRewritten(request, body)
    },
  }

  async function sendRewritten(request: OutboundRequest, body: Buffer | Readable): Promise<UpstreamResponse> {
    const { transform, headers } = request
    if (Buffer.isBuffer(body)) {
      const rewritten =
        body.length <= CHUNK_BYTES ? rewriteAtOnce(body, transform!()) : await inTurns(body, transform!(), request)
      return next({ ...request, body: rewritten })
    }
    const flowing = streamed(body, transform?.(), limit, request)
    try {
      return await next(
        // The announced length is not that of the rewritten body.
        transform === undefined
          ? { ...request, body: flowing }
          : { ...request, body: flowing, bodyLength: undefined, headers: headersWithout(headers, isContentLength) },
      )
    } catch (error) {
      // A request that was not sent leaves its body unread. The caller's next request comes behind it.
      flowing.destroy()
      throw error
    }
  }
}

function rewriteAtOnce(body: Buffer, transform: TextTransform): Buffer {
  const text = textOf(body)
  const out = rewriteComplete(transform, [text])
  return out === text ? body : bytesOf(out)
}

/** Bytes that are rewritten at once. */
const CHUNK_BYTES = 64 * 1024

async function inTurns(body: Buffer, transform: TextTransform, { cancellation }: OutboundRequest): Promise<Buffer> {
  const out: Buffer[] = []
  let isSame = true
  for (const make of steps(body, transform)) {
    if (isTurnOver()) {
      await nextTurn()
      if (cancellation.reason !== undefined) throw cancellation.reason
    }
    const piece = make()
    if (piece.length > 0) out.push(asBytes(piece))
    isSame &&= typeof piece !== 'string' || piece === ''
  }
  return isSame ? body : Buffer.concat(out)
}

/** The steps that rewrite a complete body. */
function* steps(body: Buffer, transform: TextTransform): Generator<() => Buffer | string> {
  for (const piece of piecesOf(body)) yield () => rewriteChunk(transform, piece)
  yield* lastSteps(transform)
}

/** The steps at the end of the body. */
function* lastSteps(transform: TextTransform): Generator<() => string> {
  if (transform.endInPieces === undefined) yield () => transform.end()
  else for (const piece of transform.endInPieces()) yield () => piece
}

function piecesOf(chunk: Buffer): readonly Buffer[] {
  if (chunk.length <= CHUNK_BYTES) return [chunk]
  return Array.from({ length: Math.ceil(chunk.length / CHUNK_BYTES) }, (_, index) =>
    chunk.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  )
}

/** Bytes that wait for Dynamics. With Node's 16 KiB the caller's connection would be paused after each chunk. */
const HIGH_WATER_MARK_BYTES = 128 * 1024

/** Bytes beyond the limit that are read and discarded, so that the caller reads its response. */
const MAX_DISCARDED_BYTES = 16 * 1024 * 1024

function streamed(
  body: Readable,
  transform: TextTransform | undefined,
  limit: number,
  { cancellation }: OutboundRequest,
): Readable {
  let received = 0
  /** Received bytes that could not be rewritten in the same turn of the event loop. */
  let waiting: Buffer[] = []
  let working = false
  let isFull = false
  let ended = false
  const flowing = new Readable({
    highWaterMark: HIGH_WATER_MARK_BYTES,
    read() {
      isFull = false
      if (!working) body.resume()
    },
  })

  // Nothing is read before Dynamics reads: a request may wait for long, and the output of a batch in JSON comes last.
  body.pause()
  body.on('data', (chunk: Buffer) => {
    received += chunk.length
    // Dynamics may respond before it has read everything. Then undici closes only its own end, never the caller's
    // connection, which is needed for the response.
    if (flowing.destroyed) {
      if (received > limit + MAX_DISCARDED_BYTES) body.destroy()
    } else if (received > limit) {
      fail(new BodyTooLarge(limit))
    } else if (transform === undefined) {
      pass(() => chunk)
    } else if (chunk.length > CHUNK_BYTES || working || isTurnOver()) {
      waiting.push(...piecesOf(chunk))
      if (!working) void work(transform)
    } else {
      pass(() => rewriteChunk(transform, chunk))
    }
  })
  body.on('end', () => {
    ended = true
    if (transform === undefined) flowing.push(null)
    else if (!working) void work(transform)
  })
  // The caller may disconnect in the middle of its body: the bytes sent so far are incomplete.
  body
    .on('error', (error) => flowing.destroy(error))
    .on('close', () => {
      if (!body.readableEnded)
        flowing.destroy(cancellation.reason ?? new OwnError('the body of the request ended early'))
    })
  // undici listens only while it sends. An error without a listener would end the process.
  flowing.on('error', () => {}).on('close', () => body.resume())
  return flowing

  /** Rewrites the waiting bytes in several turns of the event loop. Meanwhile nothing more is read. */
  async function work(transform: TextTransform): Promise<void> {
    working = true
    body.pause()
    while (waiting.length > 0) {
      const pieces = waiting
      waiting = []
      for (const piece of pieces) {
        if (isTurnOver()) await nextTurn()
        pass(() => rewriteChunk(transform, piece))
      }
    }
    working = false
    if (ended) return finish(transform)
    if (!isFull) body.resume()
  }

  async function finish(transform: TextTransform): Promise<void> {
    try {
      for (const make of lastSteps(transform)) {
        if (isTurnOver()) await nextTurn()
        if (flowing.destroyed) return
        pass(make)
      }
    } catch (error) {
      return fail(error as Error)
    }
    if (!flowing.destroyed) flowing.push(null)
  }

  /** Forwards the output of `piece`, no faster than Dynamics reads. */
  function pass(piece: () => Buffer | string): void {
    if (flowing.destroyed) return
    try {
      const bytes = asBytes(piece())
      if (bytes.length > 0 && !flowing.push(bytes)) {
        isFull = true
        body.pause()
      }
    } catch (error) {
      fail(error as Error)
    }
  }

  function fail(reason: Error): void {
    cancellation.cancel(reason)
    flowing.destroy(reason)
  }
}

function asBytes(piece: Buffer | string): Buffer {
  return typeof piece === 'string' ? bytesOf(piece) : piece
}

function isContentLength(name: string): boolean {
  return name === 'content-length'
}
