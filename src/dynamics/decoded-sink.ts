import { createDecoder } from '../outbound/content-coding.ts'
import type { ContentCoding } from '../outbound/content-coding.ts'
import type { Sink } from './send.ts'

/** A sink that undoes a content coding on the way to another one. */
export interface DecodedSink extends Sink {
  /** Releases the decoder when the rest is not needed. */
  readonly destroy: () => void
}

/** Undoes `coding` for `plain`, at whose pace the body flows. What `plain` throws is a response that breaks off. */
export function decodedSink(coding: ContentCoding, plain: Sink): DecodedSink {
  const decoder = createDecoder(coding)
  plain.resume = () => decoder.resume()
  decoder.on('data', (chunk: Buffer) =>
    attempt(() => {
      if (!plain.write(chunk)) decoder.pause()
    }),
  )
  decoder.on('end', () => attempt(() => plain.end()))
  decoder.on('error', (error) => plain.fail(error))
  const sink: DecodedSink = {
    resume: undefined,
    write: (chunk) => decoder.write(chunk),
    end: () => decoder.end(),
    fail: (reason) => {
      decoder.destroy()
      plain.fail(reason)
    },
    destroy: () => decoder.destroy(),
  }
  decoder.on('drain', () => sink.resume?.())
  return sink

  /** What a listener throws would end the process. */
  function attempt(action: () => void): void {
    try {
      action()
    } catch (error) {
      decoder.destroy()
      plain.fail(error as Error)
    }
  }
}
