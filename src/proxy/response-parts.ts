import type { TextTransform } from '../odata/text-transform.ts'
import type { ContentCoding } from '../outbound/content-coding.ts'
import type { PageDetector } from './foreign-response.ts'

/** The parts of a response to the caller. */
export interface ResponseParts {
  readonly status: number
  /** Flat, without the framing. */
  readonly headers: string[]
  /** Dynamics' Content-Length. */
  readonly contentLength: string | undefined
  /** Whether this status, to this method, has a body at all. */
  readonly hasBody: boolean
  /** The coding to decode, because links inside must be rewritten. */
  readonly coding: ContentCoding | undefined
  /** Rewrites links. */
  readonly transform: TextTransform | undefined
  /** Checks the first bytes of the body: they may show that the response is not Dynamics' own. */
  readonly pageDetector?: PageDetector | undefined
  /** Responds with an error instead of a body that cannot be forwarded, if nothing has been sent yet. */
  readonly refuse: (cause: unknown) => void
}

/** `headers` with the length of the body, if it is known. */
export function framed(headers: string[], contentLength: string | undefined): string[] {
  if (contentLength !== undefined) headers.push('content-length', contentLength)
  return headers
}
