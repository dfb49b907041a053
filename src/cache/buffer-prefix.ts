import { bodyError } from '../dynamics/explain-failures.ts'
import type { ResponseBody, Sink } from '../dynamics/send.ts'
import { OwnError } from '../logging/own-error.ts'
import { bodyOf } from './stored-response.ts'

/** A body whose first bytes are in memory: all of them, or as many as may be shared. */
export interface BufferedPrefix {
  /** Whether the body is longer than the limit. Then `body` can be called only once. */
  readonly hasMore: boolean
  /** The bytes in memory, followed by the rest. */
  readonly body: () => ResponseBody
}

/**
 * Reads up to `limit` bytes of `body`. A longer body is paused there.
 *
 * @param abandon ends the call when the rest is not needed
 * @throws GatewayError when the body does not arrive completely: none of it was sent to a caller yet
 */
export function bufferPrefix(body: ResponseBody, limit: number, abandon: () => void): Promise<BufferedPrefix> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = []
    let length = 0
    /** Receives the body, if it is longer than the limit. */
    let nextSink: Sink | undefined
    const sink: Sink = {
      resume: undefined,
      write(chunk) {
        if (nextSink !== undefined) return nextSink.write(chunk)
        chunks.push(chunk)
        length += chunk.length
        if (length <= limit) return true
        resolve({ hasMore: true, body: bodyWithRest })
        return false
      },
      end() {
        if (nextSink !== undefined) return nextSink.end()
        deliverEnd = (next) => next.end()
        const bytes = Buffer.concat(chunks, length)
        resolve({ hasMore: false, body: () => bodyOf(bytes) })
      },
      fail(reason) {
        if (nextSink !== undefined) return nextSink.fail(reason)
        deliverEnd = (next) => next.fail(reason)
        reject(bodyError(reason))
      },
    }
    /** How the body ended, if it did so before the next sink was set. */
    let deliverEnd: ((next: Sink) => void) | undefined
    body.pipeTo(sink)

    function bodyWithRest(): ResponseBody {
      return {
        complete: false,
        bufferedBytes: length,
        peek: () => chunks[0],
        pipeTo(next) {
          next.resume = () => sink.resume?.()
          let more = true
          for (const chunk of chunks) more = next.write(chunk)
          chunks = []
          nextSink = next
          if (deliverEnd !== undefined) deliverEnd(next)
          else if (more) sink.resume?.()
        },
        bytes: () => Promise.reject(new OwnError('a shared response is passed on, not read')),
        dump: abandon,
        onClose: (callback) => body.onClose(callback),
      }
    }
  })
}
