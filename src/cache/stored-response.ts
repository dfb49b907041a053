import type { UpstreamResponse, ResponseBody } from '../dynamics/send.ts'
import { headerName } from '../outbound/raw-headers.ts'

/** A response in memory. */
export interface StoredResponse {
  /** Flat, of {@link KEPT_HEADERS} only, and those that describe the body as it is kept. */
  readonly headers: readonly Buffer[]
  readonly body: Buffer
  /** `performance.now()` when its request was sent: it is as old as that at most. */
  readonly sentAt: number
  /** Of what it depends on, when its request was sent. */
  readonly version: number
  /** Of the schema, when its request was sent; `undefined` where that was not known. */
  readonly epoch: number | undefined
  readonly etag: string | undefined
}

/** Memory that a response takes beside its body, its values of headers and its key, in bytes. */
const OVERHEAD_BYTES = 1024

/** How much memory a response takes, in bytes. */
export function sizeOf(key: string, { headers, body }: StoredResponse): number {
  return OVERHEAD_BYTES + key.length + body.length + headers.reduce((sum, { length }) => sum + length, 0)
}

/**
 * Headers that describe the response itself. All others belong to one request: its ids, its session, what is left of the
 * caller's limits.
 */
export const KEPT_HEADERS: ReadonlySet<string> = new Set([
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

/** The response to one more request, `now`. */
export function responseFrom({ headers, body, sentAt }: StoredResponse, now: number): UpstreamResponse {
  return { status: 200, headers: [...headers, AGE, Buffer.from(String(secondsSince(sentAt, now)))], body: bodyOf(body) }
}

/**
 * The response to a request that Dynamics answered with 304: its headers, and of the stored ones those that it does not
 * have, or that describe the body.
 */
export function confirmedResponse(
  { headers, body }: StoredResponse,
  { headers: newer }: UpstreamResponse,
): UpstreamResponse {
  const named = new Set(newer.filter((_, index) => index % 2 === 0).map(headerName))
  const all: Buffer[] = []
  for (let index = 0; index < newer.length; index += 2) {
    if (!OF_THE_BODY.test(headerName(newer[index]!))) all.push(newer[index]!, newer[index + 1]!)
  }
  for (let index = 0; index < headers.length; index += 2) {
    const name = headerName(headers[index]!)
    if (OF_THE_BODY.test(name) || !named.has(name)) all.push(headers[index]!, headers[index + 1]!)
  }
  return { status: 200, headers: all, body: bodyOf(body) }
}

const OF_THE_BODY = /^(?:content-|transfer-encoding$|etag$)/

/** Seconds since `then`, both of `performance.now()`, as headers have them. */
export function secondsSince(then: number, now: number): number {
  return Math.max(0, Math.floor((now - then) / 1000))
}

/** Bytes that go to the caller at once; between two of these pieces it can ask for a pause. */
const PIECE_BYTES = 64 * 1024

/** `bytes` as the body of one of many responses: it goes no faster than its caller reads. */
export function bodyOf(bytes: Buffer): ResponseBody {
  return {
    complete: true,
    bufferedBytes: bytes.length,
    peek: () => bytes,
    pipeTo(sink) {
      let at = 0
      sink.resume = () => {
        while (at < bytes.length) {
          const piece = bytes.subarray(at, (at += PIECE_BYTES))
          if (!sink.write(piece) && at < bytes.length) return
        }
        sink.resume = undefined
        sink.end()
      }
      sink.resume()
    },
    bytes: async () => bytes,
    dump: () => undefined,
    onClose: (callback) => callback(),
  }
}
