import type { Target } from '../config/schema.ts'
import { authorityHostOf } from '../credentials/credential-facts.ts'
import { header } from '../dynamics/send.ts'
import type { Answer } from '../dynamics/send.ts'
import { inOneLine } from '../explanations/explanation.ts'
import { explainForeign, isPage, leadsToSignIn } from '../explanations/foreign-answers.ts'
import { OwnError } from '../own-error.ts'

/** Files, parts of files and images: their content may be a page. */
const FILE = /^[^?]*\/(?:\$|%24)value(?:$|\?)|^\/Image\/download\.aspx/i

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
  if (status < 200 || status >= 400) return
  const location = status >= 300 ? header(answer, 'location') : undefined
  const foreign =
    status >= 300
      ? location !== undefined && leadsToSignIn(location, target.url, authorityHostOf(target))
      : isPage(contentType) && !FILE.test(path) && header(answer, 'content-disposition') === undefined
  if (foreign) throw new OwnError(inOneLine(explainForeign({ status, contentType, location })!))
}
