import type { Readable } from 'node:stream'

import { BadRequest } from '../errors.ts'
import type { Departure, Send } from './send.ts'

/**
 * Reads a body of up to `limit` bytes into memory before it is sent, so that it can be sent again, and so that a slow
 * caller holds no place at Dynamics. A larger one flows on as it comes, and is sent once.
 */
export function keepBody(send: Send, limit: number): Send {
  return (request) => {
    const { body, bodyLength, departure } = request
    if (body === undefined || Buffer.isBuffer(body)) return send(request)
    if (bodyLength !== undefined && bodyLength > limit) return send({ ...request, headers: framed(request.headers, bodyLength) })
    return read(body, limit, departure).then((kept) => {
      if (kept !== undefined) return send({ ...request, body: kept })
      return send(bodyLength === undefined ? request : { ...request, headers: framed(request.headers, bodyLength) })
    })
  }
}

/** The whole body, or `undefined` when it is longer than `limit`; then `body` is as if nothing had been read. */
function read(body: Readable, limit: number, departure: Departure): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    if (departure.reason !== undefined) return reject(departure.reason)
    const chunks: Buffer[] = []
    let length = 0

    function onData(chunk: Buffer): void {
      chunks.push(chunk)
      length += chunk.length
      if (length <= limit) return
      letGo()
      body.pause()
      body.unshift(Buffer.concat(chunks, length))
      resolve(undefined)
    }
    function onEnd(): void {
      letGo()
      resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, length))
    }
    function onClose(): void {
      onError(departure.reason ?? new BadRequest('The body of the request broke off.'))
    }
    function onError(error: Error): void {
      letGo()
      reject(error)
    }
    function letGo(): void {
      departure.onLeave = undefined
      body.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onError)
    }

    departure.onLeave = onError
    body.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onError)
  })
}

function framed(headers: readonly string[], length: number): readonly string[] {
  return [...headers, 'content-length', String(length)]
}
