import type { OnEvent } from '../events.ts'
import type { Send } from '../send.ts'
import { limitConcurrency } from './limit.ts'
import { createSemaphore } from './semaphore.ts'
import type { Semaphore } from './semaphore.ts'

/** Share of the places that bodies may hold which flow as their callers send them. */
const UPLOAD_SHARE = 0.75

/**
 * Places for requests whose bodies flow: fewer than there are, so that slow uploads leave room for others.
 *
 * @param limit how many places there are now
 * @param queue how many requests may wait
 */
export function createUploadShare(limit: () => number, queue: number, onEvent: OnEvent): Semaphore {
  return createSemaphore({
    limit: () => Math.max(1, Math.floor(limit() * UPLOAD_SHARE)),
    share: () => Infinity,
    queue,
    onEvent,
  })
}

/** Sends a request whose body streams when `uploads` has a place. Other requests pass. */
export function limitUploads(send: Send, uploads: Semaphore): Send {
  const limited = limitConcurrency(send, uploads)
  return (request) => {
    const streams = request.body !== undefined && !Buffer.isBuffer(request.body)
    return streams ? limited(request) : send(request)
  }
}
