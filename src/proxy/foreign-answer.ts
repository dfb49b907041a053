import type { Target } from '../config/schema.ts'
import { authorityHostOf } from '../credentials/credential-facts.ts'
import { header } from '../dynamics/send.ts'
import type { Answer } from '../dynamics/send.ts'
import { inOneLine } from '../explanations/explanation.ts'
import { beginsLikePage, explainForeign, isPage, leadsToSignIn } from '../explanations/foreign-answers.ts'
import { isJson } from '../odata/content-type.ts'
import { decode } from '../outbound/content-coding.ts'
import { OwnError } from '../own-error.ts'

/** Files, parts of files and images: their content may be a page. */
const FILE = /^[^?]*\/(?:\$|%24)value(?:$|\?)|^\/Image\/download\.aspx/i

/**
 * The status of a network proxy that wants credentials, and of a network that wants a sign-in: Dynamics sends neither,
 * and a browser would take the first for a question of the gateway.
 */
const STATUS_OF_NETWORKS: ReadonlySet<number> = new Set([407, 511])

/**
 * Refuses what something else answered in Dynamics' place with a status that says that all is well: a page where JSON
 * was due, or a redirect to where people sign in. A caller would take the one for data and send the other what is in
 * its request. Errors pass, whoever wrote them: their status says what they are.
 *
 * What is a page is told by the content type; that it is Dynamics' own, by the path of a file, or by
 * `Content-Disposition`, which downloads have.
 *
 * @param path outbound path and query
 * @throws OwnError whose message is for the log
 */
export function refuseForeign(
  answer: Answer,
  contentType: string,
  path: string,
  target: Pick<Target, 'url' | 'authorityHost'>,
): void {
  const { status } = answer
  if (STATUS_OF_NETWORKS.has(status)) throw new OwnError(inOneLine(explainForeign({ status, contentType })!))
  if (status < 200 || status >= 400) return
  const location = status >= 300 ? header(answer, 'location') : undefined
  const foreign =
    status >= 300
      ? location !== undefined && leadsToSignIn(location, target.url, authorityHostOf(target))
      : isPage(contentType) && !FILE.test(path) && header(answer, 'content-disposition') === undefined
  if (foreign) throw new OwnError(inOneLine(explainForeign({ status, contentType, location })!))
}

/**
 * What refuses a page that is labelled as something else, by the first bytes of the body; `undefined` where the body
 * may begin like a page. Web filters send their page with any content type, or without one.
 *
 * @param path outbound path and query
 * @returns takes the bytes, those of JSON without their coding; throws an OwnError whose message is for the log
 */
export function pageDetector(
  answer: Answer,
  { contentType, contentEncoding, path }: Readonly<Record<'contentType' | 'path', string>> & Coded,
): ((bytes: Buffer) => void) | undefined {
  const { status } = answer
  if (status < 200 || status >= 300) return undefined
  if (!isJson(contentType) && !UNTYPED.test(contentType)) return undefined
  if (FILE.test(path) || header(answer, 'content-disposition') !== undefined) return undefined
  // JSON arrives here without its coding, because it may hold links.
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

/** No content type, or that of the plain text in which Dynamics answers a `$count`. */
const UNTYPED = /^\s*(?:$|text\/plain\b)/i

/** Bytes of a body, its coding undone, that are looked at. */
const MAX_LOOK_BYTES = 1024 * 1024
