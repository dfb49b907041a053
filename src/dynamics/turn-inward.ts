import { Transform } from 'node:stream'
import type { Readable } from 'node:stream'

import { BodyTooLarge } from '../errors.ts'
import { bytesOf, textOf, turned } from '../odata/text-transform.ts'
import type { TextTransform } from '../odata/text-transform.ts'
import type { Outbound, Send } from './send.ts'

/**
 * Turns a body's links to the gateway into links to Dynamics: a kept body before anything is sent, so that one that
 * is refused has had no effect; a larger one as it streams. When Dynamics answers before it has read all of it, what
 * the caller still sends is read and dropped.
 *
 * @param limit in bytes, of what the caller sends; a body beyond it ends the request with BodyTooLarge
 */
export function turnInward(send: Send, limit: number): Send {
  return async (request) => {
    const { body, transform, headers } = request
    if (body === undefined) return send(request)
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
  const out = transform.push(text) + transform.end()
  return out === text ? body : bytesOf(out)
}

/** Bytes beyond the limit that are read and dropped, so that the caller comes to read its answer. */
const WORTH_READING = 16 * 1024 * 1024

function streamed(
  body: Readable, transform: TextTransform | undefined, limit: number, { departure }: Outbound,
): Readable {
  let received = 0
  const through = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      received += chunk.length
      if (received > limit) return fail(new BodyTooLarge(limit))
      if (transform === undefined) return next(null, chunk)
      try {
        next(null, asBytes(turned(transform, chunk)))
      } catch (error) {
        fail(error as Error)
      }
    },
    flush(next) {
      try {
        next(null, asBytes(transform?.end() ?? ''))
      } catch (error) {
        fail(error as Error)
      }
    },
  })
  // The caller's connection may end in the middle; what was sent so far is not the whole.
  body.on('error', (error) => through.destroy(error)).on('close', () => {
    if (!body.readableEnded) through.destroy(departure.reason ?? new Error('the body of the request broke off'))
  })
  // Dynamics may answer before it has read everything; then undici lets go of its end only, never of the caller's
  // connection, on which the answer goes back. What the same event does for the pipe stops the
  // flow, so that comes first.
  through.on('close', () => {
    if (!body.readableEnded) process.nextTick(dropRest)
  })
  return body.pipe(through)

  function dropRest(): void {
    body.on('data', (chunk: Buffer) => {
      received += chunk.length
      if (received > limit + WORTH_READING) body.destroy()
    })
    body.resume()
  }

  function fail(reason: Error): void {
    departure.leave(reason)
    through.destroy(reason)
  }
}

function asBytes(piece: Buffer | string): Buffer {
  return typeof piece === 'string' ? bytesOf(piece) : piece
}

/** The length that was announced holds no more. */
function unframed(headers: readonly string[]): readonly string[] {
  return headers.filter((_, index) => headers[index - index % 2]!.toLowerCase() !== 'content-length')
}
