import { Readable } from 'node:stream'

import { BodyTooLarge } from '../errors.ts'
import { OwnError } from '../own-error.ts'
import { bytesOf, textOf, turned, turnedWhole } from '../odata/text-transform.ts'
import type { TextTransform } from '../odata/text-transform.ts'
import type { Answer, Outbound, Send } from './send.ts'

/**
 * Turns a body's links to the gateway into links to Dynamics: a kept body before anything is sent, so that one that
 * is refused has had no effect; a larger one as it streams. When Dynamics answers before it has read all of it, what
 * the caller still sends is read and dropped.
 *
 * @param limit in bytes, of what the caller sends; a body beyond it ends the request with BodyTooLarge
 */
export function turnInward(send: Send, limit: number): Send {
  return (request) => {
    if (request.body === undefined) return send(request)
    return sendTurned(request, request.body)
  }

  async function sendTurned(request: Outbound, body: Buffer | Readable): Promise<Answer> {
    const { transform, headers } = request
    if (Buffer.isBuffer(body)) {
      return send(transform === undefined ? request : { ...request, body: whole(body, transform()) })
    }
    const flowing = streamed(body, transform?.(), limit, request)
    return send(transform === undefined
      ? { ...request, body: flowing }
      : { ...request, body: flowing, bodyLength: undefined, headers: unframed(headers) })
  }
}

function whole(body: Buffer, transform: TextTransform): Buffer {
  const text = textOf(body)
  const out = turnedWhole(transform, text)
  return out === text ? body : bytesOf(out)
}

/** Bytes that wait for Dynamics: with Node's 16 KiB the caller's connection would be paused at each of its chunks. */
const ON_THE_WAY = 128 * 1024

/** Bytes beyond the limit that are read and dropped, so that the caller comes to read its answer. */
const WORTH_READING = 16 * 1024 * 1024

function streamed(
  body: Readable, transform: TextTransform | undefined, limit: number, { departure }: Outbound,
): Readable {
  let received = 0
  const flowing = new Readable({ highWaterMark: ON_THE_WAY, read: () => body.resume() })

  body.on('data', (chunk: Buffer) => {
    received += chunk.length
    // Dynamics may answer before it has read everything; then undici lets go of its end only, never of the caller's
    // connection, on which the answer goes back.
    if (flowing.destroyed) {
      if (received > limit + WORTH_READING) body.destroy()
    } else if (received > limit) {
      fail(new BodyTooLarge(limit))
    } else {
      pass(() => transform === undefined ? chunk : turned(transform, chunk))
    }
  })
  body.on('end', () => {
    if (flowing.destroyed) return
    if (transform !== undefined) pass(() => transform.end())
    flowing.push(null)
  })
  // The caller's connection may end in the middle; what was sent so far is not the whole.
  body.on('error', (error) => flowing.destroy(error)).on('close', () => {
    if (!body.readableEnded) flowing.destroy(departure.reason ?? new OwnError('the body of the request broke off'))
  })
  flowing.on('close', () => body.resume())
  return flowing

  /** Gives on what `piece` makes, no faster than Dynamics reads. */
  function pass(piece: () => Buffer | string): void {
    try {
      const bytes = asBytes(piece())
      if (bytes.length > 0 && !flowing.push(bytes)) body.pause()
    } catch (error) {
      fail(error as Error)
    }
  }

  function fail(reason: Error): void {
    departure.leave(reason)
    flowing.destroy(reason)
  }
}

function asBytes(piece: Buffer | string): Buffer {
  return typeof piece === 'string' ? bytesOf(piece) : piece
}

/** The length that was announced holds no more. */
function unframed(headers: readonly string[]): readonly string[] {
  return headers.filter((_, index) => headers[index - index % 2]!.toLowerCase() !== 'content-length')
}
