import type { ResponseBody, Sink } from '../dynamics/send.ts'
import { DynamicsBrokeOff } from '../errors.ts'
import { OwnError } from '../logging/own-error.ts'
import { bodyOf } from './stored-response.ts'

/** A body of which as much was read as may be shared. */
export interface Gathered {
  /** Whether there is more to come: then the body can be taken once, and nobody else may have it. */
  readonly rest: boolean
  /** What was read, and the rest behind it. */
  readonly body: () => ResponseBody
}

/**
 * Reads `body` up to `limit` bytes; a longer one stays paused there.
 *
 * @param abandon ends the call, where nobody wants the rest
 * @throws DynamicsBrokeOff when it breaks off: nothing of it has gone out yet
 */
export function gather(body: ResponseBody, limit: number, abandon: () => void): Promise<Gathered> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = []
    let length = 0
    /** Takes the body over, once it is too long. */
    let taker: Sink | undefined
    const sink: Sink = {
      resume: undefined,
      write(chunk) {
        if (taker !== undefined) return taker.write(chunk)
        chunks.push(chunk)
        length += chunk.length
        if (length <= limit) return true
        resolve({ rest: true, body: rest })
        return false
      },
      end() {
        if (taker !== undefined) return taker.end()
        ending = (next) => next.end()
        const bytes = Buffer.concat(chunks, length)
        resolve({ rest: false, body: () => bodyOf(bytes) })
      },
      fail(reason) {
        if (taker !== undefined) return taker.fail(reason)
        ending = (next) => next.fail(reason)
        reject(new DynamicsBrokeOff({ cause: reason }))
      },
    }
    /** How the body ended before somebody took it over. */
    let ending: ((next: Sink) => void) | undefined
    body.pipeTo(sink)

    function rest(): ResponseBody {
      return {
        complete: false,
        bufferedBytes: length,
        peek: () => chunks[0],
        pipeTo(next) {
          next.resume = () => sink.resume?.()
          let more = true
          for (const chunk of chunks) more = next.write(chunk)
          chunks = []
          taker = next
          if (ending !== undefined) ending(next)
          else if (more) sink.resume?.()
        },
        bytes: () => Promise.reject(new OwnError('a shared response is passed on, not read')),
        dump: abandon,
        onClose: (callback) => body.onClose(callback),
      }
    }
  })
}
