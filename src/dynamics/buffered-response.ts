import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'

import { OwnError } from '../own-error.ts'
import { Failure } from './dispatch.ts'
import { header } from './send.ts'
import type { Answer, AnswerBody, OutboundRequest } from './send.ts'

/** The longest body of an error that is read. */
const MAX_ERROR_BODY_BYTES = 1024 * 1024

/** An answer that was read to find out what it says, and can still be passed on. */
export interface BufferedAnswer extends Answer {
  readonly text: string
}

/**
 * Reads the body of an error.
 *
 * @throws Failure when the body breaks off: then nothing of the answer may be passed on
 */
export async function bufferAnswer(
  answer: Answer,
  { cancellation }: Pick<OutboundRequest, 'cancellation'>,
): Promise<BufferedAnswer> {
  let bytes: Buffer
  try {
    bytes = await answer.body.bytes(MAX_ERROR_BODY_BYTES)
  } catch (error) {
    throw cancellation.reason ?? new Failure(error as Error, true, false)
  }
  return { status: answer.status, headers: answer.headers, body: bufferedBody(bytes), text: decoded(answer, bytes) }
}

/** `answer` with one of its headers, `name` in small letters, set to `value`. */
export function withHeader(answer: Answer, name: string, value: string): Answer {
  const headers: Buffer[] = []
  for (let index = 0; index < answer.headers.length; index += 2) {
    const one = answer.headers[index]!
    if (one.toString('latin1').toLowerCase() !== name) headers.push(one, answer.headers[index + 1]!)
  }
  headers.push(Buffer.from(name), Buffer.from(value))
  return { status: answer.status, headers, body: answer.body }
}

function bufferedBody(bytes: Buffer): AnswerBody {
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

/** What the bytes say; nothing, where they are packed in a way that is not known. */
function decoded(answer: Answer, bytes: Buffer): string {
  try {
    switch (header(answer, 'content-encoding')?.toLowerCase()) {
      case undefined:
      case 'identity':
        return bytes.toString()
      case 'gzip':
        return gunzipSync(bytes, { maxOutputLength: MAX_ERROR_BODY_BYTES }).toString()
      case 'deflate':
        return inflateSync(bytes, { maxOutputLength: MAX_ERROR_BODY_BYTES }).toString()
      case 'br':
        return brotliDecompressSync(bytes, { maxOutputLength: MAX_ERROR_BODY_BYTES }).toString()
      default:
        return ''
    }
  } catch {
    return ''
  }
}
