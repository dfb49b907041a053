import type { UpstreamResponse, ResponseBody, Sink } from '../dynamics/send.ts'
import { contentCoding, gunzipComplete, gzipped } from '../outbound/content-coding.ts'
import { headerName } from '../outbound/raw-headers.ts'
import { bufferOf, STORED_HEADERS } from './stored-response.ts'

/** A response in the form in which it is stored. */
export type RecordedBody = {
  readonly headers: readonly Buffer[]
  readonly body: Buffer
  readonly etag: string | undefined
}

/**
 * The longest body that is stored uncompressed, in bytes. Links in JSON are rewritten in each response, so that a
 * compressed body must be decompressed each time. For a short body that costs more than rewriting.
 */
const MAX_PLAIN_BYTES = 128 * 1024

/** What the head of a response says about caching it. */
interface HeadFacts {
  readonly storedHeaders: Buffer[]
  contentType: string
  contentEncoding: string | undefined
  contentLength: number | undefined
  etag: string | undefined
  isFramed: boolean
  hasForeignCookie: boolean
}

/**
 * Copies `response` while it is sent to the caller. `done` gets the copy when the body is complete. It is not called
 * for responses that must not be cached: errors, incomplete bodies, bodies without a length or chunks, bodies of more
 * than `limit` bytes, counts of 0, and responses with cookies other than those of the load balancer.
 */
export function recordResponse(
  response: UpstreamResponse,
  limit: number,
  done: (recorded: RecordedBody) => void,
): UpstreamResponse {
  if (response.status !== 200) return response
  const facts = factsOf(response)
  const isCacheable =
    facts.isFramed &&
    !facts.hasForeignCookie &&
    CACHEABLE_TYPES.test(facts.contentType) &&
    !((facts.contentLength ?? 0) > limit)
  if (!isCacheable) return response
  return {
    status: 200,
    headers: response.headers,
    body: copyBody(response.body, limit, (body) => finish(facts, body, done)),
  }
}

/** Not HTML: that would be a sign-in page, or the page of a network proxy. */
const CACHEABLE_TYPES = /^(?:application\/(?:[\w.+-]*\+)?(?:json|xml)|text\/plain)\b/i

/** Its links are not rewritten, so that it is sent to callers as it is stored. */
const XML = /xml/i

/** Cookies of the platform's load balancer. They depend on the server that answered, not on the response. */
const AFFINITY_COOKIE = /^(?:ARRAffinity(?:SameSite)?|ReqClientId|orgId)=/

function factsOf({ headers }: UpstreamResponse): HeadFacts {
  const facts: HeadFacts = {
    storedHeaders: [],
    contentType: '',
    contentEncoding: undefined,
    contentLength: undefined,
    etag: undefined,
    isFramed: false,
    hasForeignCookie: false,
  }
  for (let index = 0; index < headers.length; index += 2) {
    const name = headerName(headers[index]!)
    const value = headers[index + 1]!.toString('latin1')
    if (STORED_HEADERS.has(name)) facts.storedHeaders.push(bufferOf(name), bufferOf(value))
    if (name === 'content-type') facts.contentType = value
    else if (name === 'content-encoding') facts.contentEncoding = value
    else if (name === 'etag') facts.etag = value
    else if (name === 'set-cookie') facts.hasForeignCookie ||= !AFFINITY_COOKIE.test(value)
    else if (name === 'transfer-encoding') facts.isFramed ||= value.toLowerCase() === 'chunked'
    else if (name === 'content-length') {
      facts.contentLength = Number(value)
      facts.isFramed = true
    }
  }
  return facts
}

/**
 * Copies `body` while it is read. `done` gets the copy when the body has ended, unless it is longer than `limit` bytes.
 */
function copyBody(body: ResponseBody, limit: number, done: (bytes: Buffer) => void): ResponseBody {
  return {
    complete: body.complete,
    bufferedBytes: body.bufferedBytes,
    peek: () => body.peek(),
    bytes: (most) => body.bytes(most),
    dump: () => body.dump(),
    onClose: (callback) => body.onClose(callback),
    pipeTo(sink) {
      let chunks: Buffer[] | undefined = []
      let length = 0
      body.pipeTo({
        write(chunk) {
          length += chunk.length
          if (length > limit) chunks = undefined
          chunks?.push(chunk)
          return sink.write(chunk)
        },
        end() {
          if (chunks !== undefined && length > 0) done(concat(chunks, length))
          sink.end()
        },
        fail: (reason) => sink.fail(reason),
        set resume(resume: Sink['resume']) {
          sink.resume = resume
        },
      })
    },
  }
}

function concat(chunks: readonly Buffer[], length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length)
  let at = 0
  for (const chunk of chunks) at += chunk.copy(bytes, at)
  return bytes
}

/** Converts a body to the form in which it is stored. */
function finish(facts: HeadFacts, body: Buffer, done: (recorded: RecordedBody) => void): void {
  const { contentEncoding, contentType, etag } = facts
  const store = (bytes: Buffer, coding: string | undefined): void => {
    const headers = [...facts.storedHeaders, CONTENT_LENGTH, bufferOf(String(bytes.length))]
    if (coding !== undefined) headers.push(CONTENT_ENCODING, bufferOf(coding))
    done({ headers, body: bytes, etag })
  }
  if (contentEncoding !== undefined) {
    // The gateway asked for gzip only. It cannot remove another coding for a caller that does not accept it.
    if (contentCoding(contentEncoding) !== 'gzip') return
    const plain = XML.test(contentType) ? 'too long' : gunzipComplete(body, MAX_PLAIN_BYTES)
    if (plain === 'too long') store(body, contentEncoding)
    else if (plain !== 'broken' && !hasZeroCount(plain)) store(concat([plain], plain.length), undefined)
  } else if (body.length <= MAX_PLAIN_BYTES) {
    if (!hasZeroCount(body)) store(body, undefined)
  } else {
    gzipped(body, (compressed) => store(concat([compressed], compressed.length), 'gzip'))
  }
}

const CONTENT_LENGTH = Buffer.from('content-length')
const CONTENT_ENCODING = Buffer.from('content-encoding')

/** How many bytes of a body are searched for a count. */
const COUNT_SEARCH_BYTES = 1024

/** Whether a body reports a count of 0. Dynamics also does so when it has not counted yet. */
function hasZeroCount(body: Buffer): boolean {
  const text = body.toString('latin1', 0, COUNT_SEARCH_BYTES)
  return /^(?:\xef\xbb\xbf)?0$/.test(text) || /"@odata\.count"\s*:\s*0\s*[,}]/.test(text)
}
