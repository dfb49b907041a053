import type { Target } from '../config/schema.ts'
import { authorityHostOf } from '../credentials/credential-facts.ts'
import { header } from '../dynamics/send.ts'
import type { UpstreamResponse } from '../dynamics/send.ts'
import { inOneLine } from '../explanations/explanation.ts'
import { beginsLikePage, explainForeign, isPage, leadsToSignIn } from '../explanations/foreign-responses.ts'
import { OwnError } from '../logging/own-error.ts'
import { isJson } from '../odata/content-type.ts'
import { decode } from '../outbound/content-coding.ts'

/** Files, parts of files and images: their content may be a page. */
const FILE_PATH = /^[^?]*\/(?:\$|%24)value(?:$|\?)|^\/Image\/download\.aspx/i

/**
 * The status of a network proxy that needs credentials, and of a network that needs a sign-in. Dynamics sends neither,
 * and a browser would treat the first as a request of the gateway.
 */
const STATUS_OF_NETWORKS: ReadonlySet<number> = new Set([407, 511])

/**
 * Refuses successful responses that are not Dynamics' own: a page instead of JSON,
 * or a redirect to a sign-in page. A caller would treat the page as data, and send its request to the other
 * site. Errors pass, whoever sent them: their status shows what they are.
 *
 * The content type identifies a page; the path of a file, or
 * `Content-Disposition` (for downloads), identifies a page of Dynamics itself.
 *
 * @param path outbound path and query
 * @throws OwnError whose message is for the log
 */
export function refuseForeign(
  response: UpstreamResponse,
  contentType: string,
  path: string,
  target: Pick<Target, 'url' | 'authorityHost'>,
): void {
  const { status } = response
  if (STATUS_OF_NETWORKS.has(status)) throw new OwnError(inOneLine(explainForeign({ status, contentType })!))
  if (status < 200 || status >= 400) return
  const location = status >= 300 ? header(response, 'location') : undefined
  const foreign =
    status >= 300
      ? location !== undefined && leadsToSignIn(location, target.url, authorityHostOf(target))
      : isPage(contentType) && !FILE_PATH.test(path) && header(response, 'content-disposition') === undefined
  if (foreign) throw new OwnError(inOneLine(explainForeign({ status, contentType, location })!))
}

/**
 * The check that refuses a page with another content type, by the first bytes of the body; `undefined` when the body
 * may start like a page. Web filters send their page with any content type, or without one.
 *
 * @param path outbound path and query
 * @returns a function of the bytes (those of JSON decoded), which throws an OwnError with a message for the log
 */
export function pageDetector(
  response: UpstreamResponse,
  { contentType, contentEncoding, path }: Readonly<Record<'contentType' | 'path', string>> & Coded,
): ((bytes: Buffer) => void) | undefined {
  const { status } = response
  if (status < 200 || status >= 300) return undefined
  if (!isJson(contentType) && !UNTYPED.test(contentType)) return undefined
  if (FILE_PATH.test(path) || header(response, 'content-disposition') !== undefined) return undefined
  // JSON is decoded here, because it may contain links.
  const coding = isJson(contentType) ? undefined : contentEncoding
  return (bytes) => {
    const plain = decode(bytes, coding, MAX_LOOK_BYTES)
    if (plain === undefined || !beginsLikePage(plain)) return
    throw new OwnError(inOneLine(explainForeign({ status, contentType, isPage: true })!))
  }
}

interface Coded {
  readonly contentEncoding: string | undefined
}

/** No content type, or that of the plain text of a `$count`. */
const UNTYPED = /^\s*(?:$|text\/plain\b)/i

/** Bytes of a decoded body that are inspected. */
const MAX_LOOK_BYTES = 1024 * 1024
