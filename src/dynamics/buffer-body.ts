import type { Readable } from 'node:stream'

import { BadRequest, Overloaded, retryLater } from '../errors.ts'
import type { Stage } from './chain.ts'
import type { UpstreamResponse, OutboundRequest, Send } from './send.ts'

/**
 * Memory for all buffered bodies, in bytes. Further bodies are streamed, as large ones are; a create with an idempotency
 * key cannot be, and is refused for now.
 */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024

/** When a caller that found the memory full may try again, in milliseconds. */
const FULL_RETRY_MS = 1000

/**
 * Buffers a body of up to `limit` bytes before it is sent, so that it can be sent again, and so that a slow
 * caller does not occupy a slot at Dynamics. A larger one is streamed, and sent once.
 */
export function bufferBody(next: Send, limit: number): Stage {
  let buffered = 0
  const room: BodyMemory = {
    reserve(bytes) {
      if (buffered + bytes > MAX_BUFFERED_BYTES) return false
      buffered += bytes
      return true
    },
    release(bytes) {
      buffered -= bytes
    },
  }

  async function sendBuffered(request: OutboundRequest, body: Buffer): Promise<UpstreamResponse> {
    try {
      return await next({ ...request, body })
    } finally {
      room.release(body.length)
    }
  }

  return {
    enter(request) {
      const { body, bodyLength } = request
      if (body === undefined || Buffer.isBuffer(body)) return undefined
      if (bodyLength !== undefined && bodyLength > limit) return next(withLength(request))
      return read(body, limit, room, request).then((complete) => {
        if (complete !== undefined) return sendBuffered(request, complete)
        return next(withLength(request))
      })
    },
  }
}

/** How many small chunks are merged into one. */
const MAX_SMALL_CHUNKS = 256

/** The memory for buffered bodies. */
interface BodyMemory {
  /** Reserves `bytes`; false when there is not enough memory left. */
  readonly reserve: (bytes: number) => boolean
  readonly release: (bytes: number) => void
}

/** The complete body, or `undefined` when it is too large; then `body` is restored as if nothing had been read. */
function read(
  body: Readable,
  limit: number,
  room: BodyMemory,
  { cancellation, idempotency }: OutboundRequest,
): Promise<Buffer | undefined> {
  return cancellation.wait((done, fail) => {
    let chunks: Buffer[] = []
    /** Many small chunks would each take far more memory than their bytes. */
    let small: Buffer[] = []
    let length = 0

    function onData(chunk: Buffer): void {
      if (small.push(chunk) === MAX_SMALL_CHUNKS) {
        chunks.push(Buffer.concat(small))
        small = []
      }
      const isSmall = length + chunk.length <= limit
      if (isSmall && room.reserve(chunk.length)) {
        length += chunk.length
        return
      }
      undo()
      if (isSmall && idempotency !== undefined) {
        // Whoever responds discards the rest: destroying the body would reset the caller's connection.
        return fail(retryLater(new Overloaded(), FULL_RETRY_MS))
      }
      body.pause()
      body.unshift(all())
      done(undefined)
    }
    function onEnd(): void {
      stopReading()
      done(all())
    }
    function all(): Buffer {
      chunks = [...chunks, ...small]
      return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    }
    function onClose(): void {
      onError(cancellation.reason ?? new BadRequest('The body of the request ended early.'))
    }
    function onError(error: Error): void {
      undo()
      fail(error)
    }
    function undo(): void {
      stopReading()
      room.release(length)
    }
    function stopReading(): void {
      body.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onError)
    }

    body.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onError)
    return undo
  })
}

/** A streamed body has its Content-Length, if its sender announced one. */
function withLength(request: OutboundRequest): OutboundRequest {
  const { headers, bodyLength } = request
  return bodyLength === undefined
    ? request
    : { ...request, headers: [...headers, 'content-length', String(bodyLength)] }
}
