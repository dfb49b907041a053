import type { OnEvent } from '../events.ts'
import type { Send } from '../send.ts'
import { limitConcurrency } from './limit.ts'
import { createSemaphore } from './semaphore.ts'
import type { Semaphore } from './semaphore.ts'

/** Share of the places that bodies may hold which flow as their callers send them. */
const UPLOAD_SHARE = 0.75

/** Places for requests whose bodies flow: fewer than there are, so that slow uploads leave room for others. */
export interface UploadShare {
  readonly semaphore: Semaphore
  /** Dynamics suggests so many requests at once, of all kinds. */
  readonly suggest: Semaphore['suggest']
}

/** Room among `most` places, with a queue for `queue` requests. */
export function createUploadShare({
  most,
  queue,
  onEvent,
}: {
  readonly most: number
  readonly queue: number
  readonly onEvent: OnEvent
}): UploadShare {
  // How many places there are is told by others; a full queue is a full queue.
  const semaphore = createSemaphore({
    most: share(most),
    queue,
    onEvent: (event) => {
      if (event.kind === 'queue-full') onEvent(event)
    },
  })
  return {
    semaphore,
    suggest: (parallel) => semaphore.suggest(share(parallel)),
  }
}

/** Sends a request whose body streams when `uploads` has a place. Other requests pass. */
export function limitUploads(send: Send, { semaphore }: UploadShare): Send {
  const limited = limitConcurrency(send, semaphore)
  return (request) => {
    const streams = request.body !== undefined && !Buffer.isBuffer(request.body)
    return streams ? limited(request) : send(request)
  }
}

function share(semaphore: number): number {
  return Math.max(1, Math.floor(semaphore * UPLOAD_SHARE))
}
