import { Readable } from 'node:stream'

import { BodyTooLarge } from '../errors.ts'
import { bytesOf, textOf, rewriteChunk, rewriteComplete } from '../odata/text-transform.ts'
import type { TextTransform } from '../odata/text-transform.ts'
import { OwnError } from '../own-error.ts'
import { isTurnOver, nextTurn } from './event-loop-share.ts'
import type { Answer, OutboundRequest, Send } from './send.ts'

/**
 * Turns a body's links to the gateway into links to Dynamics: a kept body before anything is sent, so that one that
 * is refused has had no effect; a larger one as it streams. When Dynamics answers before it has read all of it, what
 * the caller still sends is read and dropped. A large body takes several turns of the event loop, so that nobody waits
 * for it.
 *
 * @param limit in bytes, of what the caller sends; a body beyond it ends the request with BodyTooLarge
 */
export function rewriteRequestBody(send: Send, limit: number): Send {
  return (request) => {
    if (request.body === undefined) return send(request)
    return sendTurned(request, request.body)
  }

  async function sendTurned(request: OutboundRequest, body: Buffer | Readable): Promise<Answer> {
    const { transform, headers } = request
    if (Buffer.isBuffer(body)) {
      if (transform === undefined) return send(request)
      const turned = body.length <= PIECE ? whole(body, transform()) : await inTurns(body, transform(), request)
      return send({ ...request, body: turned })
    }
    const flowing = streamed(body, transform?.(), limit, request)
    return send(
      transform === undefined
        ? { ...request, body: flowing }
        : { ...request, body: flowing, bodyLength: undefined, headers: unframed(headers) },
    )
  }
}

function whole(body: Buffer, transform: TextTransform): Buffer {
  const text = textOf(body)
  const out = rewriteComplete(transform, text)
  return out === text ? body : bytesOf(out)
}

/** Bytes that are turned at once. */
const PIECE = 64 * 1024

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

/** All that is to be done, step by step, for a body that is all there. */
function* steps(body: Buffer, transform: TextTransform): Generator<() => Buffer | string> {
  for (const piece of piecesOf(body)) yield () => rewriteChunk(transform, piece)
  yield* lastSteps(transform)
}

/** What is to be done when the body ends. */
function* lastSteps(transform: TextTransform): Generator<() => string> {
  if (transform.endInPieces === undefined) yield () => transform.end()
  else for (const piece of transform.endInPieces()) yield () => piece
}

function piecesOf(chunk: Buffer): readonly Buffer[] {
  if (chunk.length <= PIECE) return [chunk]
  return Array.from({ length: Math.ceil(chunk.length / PIECE) }, (_, index) =>
    chunk.subarray(index * PIECE, (index + 1) * PIECE),
  )
}

/** Bytes that wait for Dynamics: with Node's 16 KiB the caller's connection would be paused at each of its chunks. */
const ON_THE_WAY = 128 * 1024

/** Bytes beyond the limit that are read and dropped, so that the caller comes to read its answer. */
const WORTH_READING = 16 * 1024 * 1024

function streamed(
  body: Readable,
  transform: TextTransform | undefined,
  limit: number,
  { cancellation }: OutboundRequest,
): Readable {
  let received = 0
  /** What has come and could not be turned in the same turn of the event loop. */
  let waiting: Buffer[] = []
  let working = false
  let isFull = false
  let ended = false
  const flowing = new Readable({
    highWaterMark: ON_THE_WAY,
    read() {
      isFull = false
      if (!working) body.resume()
    },
  })

  body.on('data', (chunk: Buffer) => {
    received += chunk.length
    // Dynamics may answer before it has read everything; then undici lets go of its end only, never of the caller's
    // connection, on which the answer goes back.
    if (flowing.destroyed) {
      if (received > limit + WORTH_READING) body.destroy()
    } else if (received > limit) {
      fail(new BodyTooLarge(limit))
    } else if (transform === undefined) {
      pass(() => chunk)
    } else if (chunk.length > PIECE || working || isTurnOver()) {
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
  // The caller's connection may end in the middle; what was sent so far is not the whole.
  body
    .on('error', (error) => flowing.destroy(error))
    .on('close', () => {
      if (!body.readableEnded)
        flowing.destroy(cancellation.reason ?? new OwnError('the body of the request ended early'))
    })
  flowing.on('close', () => body.resume())
  return flowing

  /** Turns what waits, in turns of the event loop; meanwhile nothing more is read. */
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

  /** Gives on what `piece` makes, no faster than Dynamics reads. */
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

/** The length that was announced holds no more. */
function unframed(headers: readonly string[]): readonly string[] {
  return headers.filter((_, index) => headers[index - (index % 2)]!.toLowerCase() !== 'content-length')
}
