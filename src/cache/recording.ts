import type { UpstreamResponse, ResponseBody } from '../dynamics/send.ts'
import { contentCoding, gunzipComplete, gzipped } from '../outbound/content-coding.ts'
import { headerName } from '../outbound/raw-headers.ts'
import { KEPT_HEADERS } from './stored-response.ts'

/** The body of a response, and what describes it, as they are kept. */
export type Recorded = { readonly headers: readonly Buffer[]; readonly body: Buffer; readonly etag: string | undefined }

/**
 * Longest body that is kept as it reads, in bytes; longer ones are kept compressed. Links in JSON are rewritten for each
 * response, and undoing the coding of a short one each time would cost more than that.
 */
const MAX_PLAIN_BYTES = 128 * 1024

/** What is looked at of a response's head. */
interface HeadFacts {
  readonly kept: Buffer[]
  contentType: string
  contentEncoding: string | undefined
  contentLength: number | undefined
  etag: string | undefined
  isFramed: boolean
  hasForeignCookie: boolean
}

/**
 * `response`, of which a copy is made while it goes to the caller. `done` gets it once the body has ended completely, and
 * is not called for what may not be kept: errors, bodies that break off or whose end nobody can tell from a break, bodies
 * of more than `limit` bytes, counts of 0, and cookies other than the load balancer's.
 */
export function recorded(
  response: UpstreamResponse,
  limit: number,
  done: (recorded: Recorded) => void,
): UpstreamResponse {
  if (response.status !== 200) return response
  const facts = factsOf(response)
  const mayKeep =
    facts.isFramed &&
    !facts.hasForeignCookie &&
    KEPT_TYPES.test(facts.contentType) &&
    !((facts.contentLength ?? 0) > limit)
  if (!mayKeep) return response
  return {
    status: 200,
    headers: response.headers,
    body: copied(response.body, limit, (body) => finish(facts, body, done)),
  }
}

/** A page to sign in with, or the page of a network proxy, is HTML. */
const KEPT_TYPES = /^(?:application\/(?:[\w.+-]*\+)?(?:json|xml)|text\/plain)\b/i

/** No links in it are rewritten, so that it goes to callers as it is kept. */
const XML = /xml/i

/** Cookies of the platform's load balancer: they say where a request went, and nothing of its response. */
const AFFINITY_COOKIE = /^(?:ARRAffinity(?:SameSite)?|ReqClientId|orgId)=/

function factsOf({ headers }: UpstreamResponse): HeadFacts {
  const facts: HeadFacts = {
    kept: [],
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
    if (KEPT_HEADERS.has(name)) facts.kept.push(bufferOf(name), bufferOf(value))
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

/** Bytes of their own, which hold no larger piece of memory. */
function bufferOf(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(text.length)
  bytes.write(text, 'latin1')
  return bytes
}

/** `body`, of which a copy of up to `limit` bytes is given to `done` when it has ended. */
function copied(body: ResponseBody, limit: number, done: (bytes: Buffer) => void): ResponseBody {
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
          if (chunks !== undefined && length > 0) done(joined(chunks, length))
          sink.end()
        },
        fail: (reason) => sink.fail(reason),
        get resume() {
          return sink.resume
        },
        set resume(resume) {
          sink.resume = resume
        },
      })
    },
  }
}

function joined(chunks: readonly Buffer[], length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length)
  let at = 0
  for (const chunk of chunks) at += chunk.copy(bytes, at)
  return bytes
}

/** Brings a body into the form in which it is kept. */
function finish(facts: HeadFacts, body: Buffer, done: (recorded: Recorded) => void): void {
  const { contentEncoding, contentType, etag } = facts
  const keep = (bytes: Buffer, coding: string | undefined): void => {
    const headers = [...facts.kept, CONTENT_LENGTH, bufferOf(String(bytes.length))]
    if (coding !== undefined) headers.push(CONTENT_ENCODING, bufferOf(coding))
    done({ headers, body: bytes, etag })
  }
  if (contentEncoding !== undefined) {
    // The gateway asked for gzip only. Anything else could not be undone for a caller that does not accept it.
    if (contentCoding(contentEncoding) !== 'gzip') return
    const plain = XML.test(contentType) ? 'too long' : gunzipComplete(body, MAX_PLAIN_BYTES)
    if (plain === 'too long') keep(body, contentEncoding)
    else if (plain !== 'broken' && !isZero(plain)) keep(joined([plain], plain.length), undefined)
  } else if (body.length <= MAX_PLAIN_BYTES) {
    if (!isZero(body)) keep(body, undefined)
  } else {
    gzipped(body, (compressed) => keep(joined([compressed], compressed.length), 'gzip'))
  }
}

const CONTENT_LENGTH = Buffer.from('content-length')
const CONTENT_ENCODING = Buffer.from('content-encoding')

/** How far into a body its count may stand, in bytes. */
const COUNT_WITHIN_BYTES = 1024

/** Whether a body says that there are no rows, which Dynamics also does where it has not counted yet. */
function isZero(body: Buffer): boolean {
  const text = body.toString('latin1', 0, COUNT_WITHIN_BYTES)
  return /^(?:\xef\xbb\xbf)?0$/.test(text) || /"@odata\.count"\s*:\s*0\s*[,}]/.test(text)
}
