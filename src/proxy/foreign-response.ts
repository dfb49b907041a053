import type { Target } from '../config/schema.ts'
import { authorityHostOf } from '../credentials/credential-facts.ts'
import { header } from '../dynamics/send.ts'
import type { UpstreamResponse } from '../dynamics/send.ts'
import { inOneLine } from '../explanations/explanation.ts'
import { beginsLikePage, explainForeign, isPage, leadsToSignIn } from '../explanations/foreign-responses.ts'
import { OwnError } from '../logging/own-error.ts'
import { cachedByText } from '../odata/cached-by-text.ts'
import { isJson } from '../odata/content-type.ts'
import { decode } from '../outbound/content-coding.ts'
import type { ResponseHead } from './response-headers.ts'

/**
 * Refuses successful responses that are not Dynamics' own: a page instead of JSON, or a redirect to a sign-in page. A
 * caller would treat the page as data, and send its request to the other site. Errors pass, whoever sent them: their
 * status shows what they are.
 *
 * The content type identifies a page; the path of a file, or `Content-Disposition` (for downloads), identifies a page of
 * Dynamics itself.
 *
 * @param path outbound path and query
 * @throws OwnError whose message is for the log
 */
export function refuseForeign(
  response: UpstreamResponse,
  { status, contentType, isDownload }: ResponseHead,
  path: string,
  target: Pick<Target, 'url' | 'authorityHost'>,
): void {
  if (isOfNetwork(status)) throw new OwnError(inOneLine(explainForeign({ status, contentType })!))
  if (status < 200 || status >= 400) return
  const location = status >= 300 ? header(response, 'location') : undefined
  const foreign =
    status >= 300
      ? location !== undefined && leadsToSignIn(location, target.url, authorityHostOf(target))
      : kindOf(contentType) === 'page' && !isDownload && !mayHoldPage(path)
  if (foreign) throw new OwnError(inOneLine(explainForeign({ status, contentType, location })!))
}

/**
 * Whether it is the status of a network proxy that needs credentials, or of a network that needs a sign-in. Dynamics
 * sends neither, and a browser would treat the first as a request of the gateway.
 */
function isOfNetwork(status: number): boolean {
  return status === 407 || status === 511
}

/**
 * The check that refuses a page with another content type; `undefined` where the type or a download allows a page. Web
 * filters send their page with any content type, or without one.
 *
 * @param path outbound path and query
 */
export function pageDetector(head: ResponseHead, path: string): PageDetector | undefined {
  const { status, contentType, isDownload } = head
  if (status < 200 || status >= 300 || isDownload) return undefined
  const kind = kindOf(contentType)
  return kind === 'json' || kind === 'untyped' ? new PageDetector(head, path) : undefined
}

/** Detects a page by the first bytes of the body. The path is examined only then, because hardly any body is a page. */
export class PageDetector {
  readonly #head: ResponseHead
  readonly #path: string

  constructor(head: ResponseHead, path: string) {
    this.#head = head
    this.#path = path
  }

  /**
   * @param bytes the first bytes of the body. JSON is decoded already, for its links
   * @throws OwnError whose message is for the log
   */
  check(bytes: Buffer): void {
    const { status, contentType, contentEncoding } = this.#head
    const plain = isJson(contentType) ? bytes : decode(bytes, contentEncoding, MAX_LOOK_BYTES)
    if (plain === undefined || !beginsLikePage(plain) || mayHoldPage(this.#path)) return
    throw new OwnError(inOneLine(explainForeign({ status, contentType, isPage: true })!))
  }
}

/** What a content type says about the body. */
const kindOf = cachedByText((contentType): 'json' | 'page' | 'untyped' | 'other' => {
  if (isJson(contentType)) return 'json'
  if (isPage(contentType)) return 'page'
  return UNTYPED.test(contentType) ? 'untyped' : 'other'
})

/** No content type, or that of the plain text of a `$count`. */
const UNTYPED = /^\s*(?:$|text\/plain\b)/i

/** Bytes of a decoded body that are inspected. */
const MAX_LOOK_BYTES = 1024 * 1024

/** Whether a path is that of a file, a part of one, or an image: their content may be a page. */
function mayHoldPage(path: string): boolean {
  return FILE_PATH.test(path)
}

const FILE_PATH = /^(?:[^?]*\/(?:\$|%24)value(?:$|\?)|\/Image\/download\.aspx)/i
