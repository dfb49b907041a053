import { OwnError } from '../logging/own-error.ts'
import { decode } from '../outbound/content-coding.ts'
import { Failure } from './failure.ts'
import { header } from './send.ts'
import type { UpstreamResponse, ResponseBody, OutboundRequest } from './send.ts'

/** The largest error body that is read. */
const MAX_ERROR_BODY_BYTES = 1024 * 1024

/** A response that was read, and can still be forwarded. */
export interface BufferedResponse extends UpstreamResponse {
  /** Empty when the body cannot be decoded. */
  readonly text: string
}

/**
 * Reads the body of an error, or of another response of up to `limit` bytes.
 *
 * @throws Failure when the body is truncated: then nothing of the response may be forwarded
 */
export async function bufferResponse(
  response: UpstreamResponse,
  { cancellation }: Pick<OutboundRequest, 'cancellation'>,
  limit = MAX_ERROR_BODY_BYTES,
): Promise<BufferedResponse> {
  let bytes: Buffer
  try {
    bytes = await response.body.bytes(limit)
  } catch (error) {
    throw cancellation.reason ?? new Failure(error as Error, true, false)
  }
  const text = decode(bytes, header(response, 'content-encoding'), MAX_ERROR_BODY_BYTES)?.toString() ?? ''
  return { status: response.status, headers: response.headers, body: bufferedBody(bytes), text }
}

/** A complete body with the content `bytes`. */
export function bufferedBody(bytes: Buffer): ResponseBody {
  return {
    complete: true,
    bufferedBytes: bytes.length,
    peek: () => bytes,
    pipeTo(sink) {
      if (bytes.length > 0) sink.write(bytes)
      sink.end()
    },
    async bytes(limit) {
      if (bytes.length > limit) throw new OwnError(`the body is larger than ${limit} bytes`)
      return bytes
    },
    dump() {},
    onClose: (callback) => callback(),
  }
}
