import { limitConcurrency } from './limit.ts'
import { createPlaces } from './fair-queue.ts'
import type { Places } from './fair-queue.ts'
import type { Send } from '../send.ts'
import type { Watch } from '../events.ts'

/** Share of the places that bodies may hold which flow as their callers send them. */
const SHARE = 0.75

/** Places for requests whose bodies flow: fewer than there are, so that slow uploads leave room for others. */
export interface Room {
  readonly limit: (send: Send) => Send
  /** Dynamics suggests so many requests at once, of all kinds. */
  readonly suggest: Places['suggest']
}

/** Room among `most` places, with a queue for `queue` requests. */
export function createRoom(
  { most, queue, watch }: { readonly most: number, readonly queue: number, readonly watch: Watch },
): Room {
  // How many places there are is told by others; a full queue is a full queue.
  const places = createPlaces({
    most: share(most),
    queue,
    watch: (event) => {
      if (event.kind === 'queue-full') watch(event)
    },
  })
  return {
    suggest: (parallel) => places.suggest(share(parallel)),
    limit(send) {
      const limited = limitConcurrency(send, places)
      return (request) => {
        const flows = request.body !== undefined && !Buffer.isBuffer(request.body)
        return flows ? limited(request) : send(request)
      }
    },
  }
}

function share(places: number): number {
  return Math.max(1, Math.floor(places * SHARE))
}
