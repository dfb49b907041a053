import type { Readable } from 'node:stream'

import { BadRequest } from '../errors.ts'
import type { Cancellation } from './cancellation.ts'
import type { Answer, OutboundRequest, Send } from './send.ts'

/** All bodies that are kept at once, in bytes; beyond, they flow on as if they were large. */
const MOST = 64 * 1024 * 1024

/**
 * Reads a body of up to `limit` bytes into memory before it is sent, so that it can be sent again, and so that a slow
 * caller holds no place at Dynamics. A larger one flows on as it comes, and is sent once.
 */
export function bufferBody(send: Send, limit: number): Send {
  let kept = 0
  const room: Room = {
    take(bytes) {
      if (kept + bytes > MOST) return false
      kept += bytes
      return true
    },
    giveBack(bytes) {
      kept -= bytes
    },
  }

  async function sendKept(request: OutboundRequest, body: Buffer): Promise<Answer> {
    try {
      return await send({ ...request, body })
    } finally {
      room.giveBack(body.length)
    }
  }

  return (request) => {
    const { body, bodyLength, cancellation } = request
    if (body === undefined || Buffer.isBuffer(body)) return send(request)
    if (bodyLength !== undefined && bodyLength > limit) return send(framed(request))
    return read(body, limit, room, cancellation).then((whole) => {
      if (whole !== undefined) return sendKept(request, whole)
      return send(framed(request))
    })
  }
}

/** So many chunks become one. */
const MOST_SMALL = 256

/** The memory for bodies. */
interface Room {
  /** Whether there is room for so many bytes more; takes it. */
  readonly take: (bytes: number) => boolean
  readonly giveBack: (bytes: number) => void
}

/** The whole body, or `undefined` when there is no room for it; then `body` is as if nothing had been read. */
function read(body: Readable, limit: number, room: Room, cancellation: Cancellation): Promise<Buffer | undefined> {
  return cancellation.wait((done, fail) => {
    let chunks: Buffer[] = []
    /** Of many small ones each would take far more memory than its bytes. */
    let small: Buffer[] = []
    let length = 0

    function onData(chunk: Buffer): void {
      if (small.push(chunk) === MOST_SMALL) {
        chunks.push(Buffer.concat(small))
        small = []
      }
      if (length + chunk.length <= limit && room.take(chunk.length)) {
        length += chunk.length
        return
      }
      undo()
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
      room.giveBack(length)
    }
    function stopReading(): void {
      body.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onError)
    }

    body.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onError)
    return undo
  })
}

/** A body that flows says how long it is, where its sender has said so. */
function framed(request: OutboundRequest): OutboundRequest {
  const { headers, bodyLength } = request
  return bodyLength === undefined
    ? request
    : { ...request, headers: [...headers, 'content-length', String(bodyLength)] }
}
