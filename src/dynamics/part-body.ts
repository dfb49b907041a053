import { OwnError } from '../logging/own-error.ts'
import type { ResponseBody, Sink } from './send.ts'

/** Bytes that are buffered while nobody takes them; beyond, the connection is paused. */
const MAX_BUFFERED_BYTES = 64 * 1024

/** The body of a part: it flows from within another body. */
export class PartBody implements ResponseBody {
  complete = false
  bufferedBytes = 0
  /** Lets the body around it go on. */
  resume: (() => void) | undefined
  /** Releases what decodes the body around it. */
  releases: (() => void) | undefined
  readonly #around: ResponseBody
  #chunks: Buffer[] = []
  #sink: Sink | undefined
  #failure: Error | undefined
  #hasRoom = true

  constructor(around: ResponseBody) {
    this.#around = around
  }

  push(chunk: Buffer): void {
    if (this.#sink !== undefined) {
      this.#hasRoom = this.#sink.write(chunk)
      return
    }
    this.#chunks.push(chunk)
    this.bufferedBytes += chunk.length
    this.#hasRoom = this.bufferedBytes < MAX_BUFFERED_BYTES
  }

  wantsMore(): boolean {
    return this.#hasRoom
  }

  end(): void {
    this.complete = true
    this.#sink?.end()
  }

  fail(reason: Error): void {
    this.#failure = reason
    this.#sink?.fail(reason)
  }

  peek(): Buffer | undefined {
    return this.#chunks[0]
  }

  pipeTo(sink: Sink): void {
    sink.resume = () => {
      this.#hasRoom = true
      this.resume?.()
    }
    this.#sink = sink
    let hasRoom = true
    for (const chunk of this.#chunks) hasRoom = sink.write(chunk)
    this.#chunks = []
    if (this.#failure !== undefined) return sink.fail(this.#failure)
    if (this.complete) return sink.end()
    if (hasRoom && !this.#hasRoom) sink.resume()
    else this.#hasRoom = hasRoom
  }

  bytes(limit: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      let length = 0
      this.pipeTo({
        resume: undefined,
        write: (chunk) => {
          length += chunk.length
          if (length > limit) {
            this.dump()
            reject(new OwnError(`the body is larger than ${limit} bytes`))
          } else chunks.push(chunk)
          return true
        },
        end: () => resolve(Buffer.concat(chunks, length)),
        fail: reject,
      })
    })
  }

  dump(): void {
    this.#chunks = []
    this.#sink = undefined
    this.releases?.()
    this.#around.dump()
  }

  onClose(callback: () => void): void {
    this.#around.onClose(callback)
  }
}
