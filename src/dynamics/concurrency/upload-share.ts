import { chain } from '../chain.ts'
import type { Stage } from '../chain.ts'
import type { OnEvent } from '../events.ts'
import type { Send } from '../send.ts'
import { limitConcurrency } from './limit.ts'
import { createSemaphore } from './semaphore.ts'
import type { Semaphore } from './semaphore.ts'

/** The share of the slots that streamed request bodies may occupy. */
const UPLOAD_SHARE = 0.75

/**
 * Slots for requests whose bodies are streamed. They are a part of all slots, so that slow uploads leave room for
 * others.
 *
 * @param limit the number of all slots now
 * @param queue the most requests that may wait
 */
export function createUploadShare(limit: () => number, queue: number, onEvent: OnEvent): Semaphore {
  return createSemaphore({
    limit: () => Math.max(1, Math.floor(limit() * UPLOAD_SHARE)),
    share: () => Infinity,
    queue,
    onEvent,
  })
}

/** Sends a request with a streamed body when `uploads` has a free slot. Other requests pass. */
export function limitUploads(next: Send, uploads: Semaphore): Stage {
  const sendLimited = chain([(next) => limitConcurrency(next, uploads)], next)
  return {
    enter(request) {
      const streams = request.body !== undefined && !Buffer.isBuffer(request.body)
      return streams ? sendLimited(request) : undefined
    },
  }
}
