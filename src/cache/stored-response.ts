import type { UpstreamResponse, ResponseBody, Sink } from '../dynamics/send.ts'
import { cachedByText } from '../odata/cached-by-text.ts'
import { headerName } from '../outbound/raw-headers.ts'

/** A cached response. */
export interface StoredResponse {
  /** Flat: only {@link STORED_HEADERS}, and those that describe the stored body. */
  readonly headers: readonly Buffer[]
  readonly body: Buffer
  /** `performance.now()` when its request was sent. The response is not older than that. */
  readonly sentAt: number
  /** The version of its dependency when its request was sent. */
  readonly version: number
  /** The epoch of the definitions when its request was sent; `undefined` if it was not known. */
  readonly epoch: number | undefined
  readonly etag: string | undefined
}

/** Memory that a response uses besides its body, headers and key, in bytes. */
const OVERHEAD_BYTES = 1024

/** How much memory a response uses, in bytes. */
export function sizeOf(key: string, { headers, body }: StoredResponse): number {
  return OVERHEAD_BYTES + key.length + body.length + headers.reduce((sum, { length }) => sum + length, 0)
}

/**
 * Headers that describe the response itself. All others belong to one request: its ids, its session, the remaining
 * service protection limits.
 */
export const STORED_HEADERS: ReadonlySet<string> = new Set([
  'content-type',
  'content-language',
  'etag',
  'last-modified',
  'odata-version',
  'preference-applied',
  'cache-control',
  'expires',
  'date',
  'vary',
])

const AGE = Buffer.from('age')

/** A response made from the stored one, with its age at `now`. */
export function responseFrom({ headers, body, sentAt }: StoredResponse, now: number): UpstreamResponse {
  return { status: 200, headers: [...headers, AGE, ageBytes(String(secondsSince(sentAt, now)))], body: bodyOf(body) }
}

/** The responses that are read within one second have few different ages. */
const ageBytes = cachedByText(bufferOf)

/** A buffer with memory of its own: a slice would keep the complete pool in memory. */
export function bufferOf(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(text.length)
  bytes.write(text, 'latin1')
  return bytes
}

/**
 * The response to a request that Dynamics answered with 304. It has the headers of the 304, and those stored headers
 * that the 304 lacks or that describe the body.
 */
export function confirmedResponse(
  { headers, body }: StoredResponse,
  { headers: newer }: UpstreamResponse,
): UpstreamResponse {
  const named = new Set(newer.filter((_, index) => index % 2 === 0).map(headerName))
  const all: Buffer[] = []
  for (let index = 0; index < newer.length; index += 2) {
    if (!BODY_HEADERS.test(headerName(newer[index]!))) all.push(newer[index]!, newer[index + 1]!)
  }
  for (let index = 0; index < headers.length; index += 2) {
    const name = headerName(headers[index]!)
    if (BODY_HEADERS.test(name) || !named.has(name)) all.push(headers[index]!, headers[index + 1]!)
  }
  return { status: 200, headers: all, body: bodyOf(body) }
}

const BODY_HEADERS = /^(?:content-|transfer-encoding$|etag$)/

/** Complete seconds between two values of `performance.now()`, as headers have them. */
function secondsSince(then: number, now: number): number {
  return Math.max(0, Math.floor((now - then) / 1000))
}

/** Bytes that are written at once. The sink can pause between two of these pieces. */
const PIECE_BYTES = 64 * 1024

/** `bytes` as a response body, written with back-pressure. */
export function bodyOf(bytes: Buffer): ResponseBody {
  return new MemoryBody(bytes)
}

/** A class, because six functions for each response from memory would cost more than their work. */
class MemoryBody implements ResponseBody {
  readonly complete = true
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get bufferedBytes(): number {
    return this.#bytes.length
  }

  peek(): Buffer {
    return this.#bytes
  }

  pipeTo(sink: Sink): void {
    this.#writeFrom(0, sink)
  }

  #writeFrom(start: number, sink: Sink): void {
    const bytes = this.#bytes
    for (let at = start; at < bytes.length; at += PIECE_BYTES) {
      const isLast = at + PIECE_BYTES >= bytes.length
      const hasRoom = sink.write(isLast && at === 0 ? bytes : bytes.subarray(at, at + PIECE_BYTES))
      if (hasRoom || isLast) continue
      // Only here: a closure on each sink lets V8 keep everything that a finished request held, which triples the cost
      // of a response from memory.
      sink.resume = () => this.#writeFrom(at + PIECE_BYTES, sink)
      return
    }
    sink.resume = undefined
    sink.end()
  }

  bytes(): Promise<Buffer> {
    return Promise.resolve(this.#bytes)
  }

  dump(): void {}

  onClose(callback: () => void): void {
    callback()
  }
}
