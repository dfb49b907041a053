import type { Transform } from 'node:stream'
import {
  brotliDecompressSync,
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  gzip,
  gunzipSync,
  inflateSync,
} from 'node:zlib'

import { isEncoded } from '../odata/content-type.ts'

/** A content coding that the gateway can decode. */
export type ContentCoding = 'gzip' | 'deflate' | 'br'

/** The coding in a Content-Encoding header; `undefined` for none, several, or an unknown one. */
export function contentCoding(contentEncoding: string | undefined): ContentCoding | undefined {
  const coding = contentEncoding?.trim().toLowerCase()
  switch (coding) {
    case 'gzip':
    case 'deflate':
    case 'br':
      return coding
    case 'x-gzip':
      return 'gzip'
    default:
      return undefined
  }
}

/** A stream that decodes `coding`. */
export function createDecoder(coding: ContentCoding): Transform {
  switch (coding) {
    case 'gzip':
      return createGunzip()
    case 'deflate':
      return createInflate()
    case 'br':
      return createBrotliDecompress()
  }
}

/**
 * Decodes a body, or the beginning of one; `undefined` if that fails, or if the result exceeds `limit` bytes.
 *
 * @param contentEncoding the header of the message
 */
export function decode(body: Buffer, contentEncoding: string | undefined, limit: number): Buffer | undefined {
  if (!isEncoded(contentEncoding)) return body
  const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: limit }
  try {
    switch (contentCoding(contentEncoding)) {
      case 'gzip':
        return gunzipSync(body, options)
      case 'deflate':
        return inflateSync(body, options)
      case 'br':
        return brotliDecompressSync(body, { ...options, finishFlush: constants.BROTLI_OPERATION_FLUSH })
      case undefined:
        return undefined
    }
  } catch {
    return undefined
  }
}

/** Compresses `body` with gzip, outside the event loop. `done` is not called if that fails. */
export function gzipped(body: Buffer, done: (compressed: Buffer) => void): void {
  gzip(body, (error, compressed) => {
    if (error === null) done(compressed)
  })
}

/** Decompresses a complete gzip body. Returns the reason if it is longer than `limit` bytes or broken. */
export function gunzipComplete(body: Buffer, limit: number): Buffer | 'too long' | 'broken' {
  try {
    return gunzipSync(body, { maxOutputLength: limit })
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'too long' : 'broken'
  }
}
