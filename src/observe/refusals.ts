import { requestIds } from '../dynamics/request-record.ts'
import type { RequestRecord } from '../dynamics/request-record.ts'
import { errorIn, explainDynamics } from '../explanations/dynamics-errors.ts'
import { inOneLine } from '../explanations/explanation.ts'
import type { Explanation } from '../explanations/explanation.ts'
import { isPage } from '../explanations/foreign-responses.ts'
import type { Logger } from '../logging/logger.ts'
import { parseJson } from '../odata/parse-json.ts'
import { onceIn } from './once-in.ts'

/** A configuration error affects every request, so it is logged once a minute. */
const LOG_INTERVAL_MS = 60_000

/**
 * Errors of the configuration, not of the request: no application user, no roles, no right to
 * impersonate, disabled, IP firewall.
 */
const SETUP_ERROR_CODES = /^0x(80072560|80042f09|8004a110|80040225|8004a104|8004d24b)$/

/** Messages of such errors without documented codes. */
const SETUP_ERROR_TEXTS =
  /prvActOnBehalfOfAnotherUser|access to your IP is blocked|Dataverse API is restricted for this app/i

/** A refusal by Dynamics, or by something on the way to it. */
export interface Refusal {
  readonly status: number
  readonly contentType: string
  /** The first decoded bytes of the body; `undefined` if they cannot be decoded. */
  readonly body: Buffer | undefined
  /** Whether the request ran as an impersonated user. */
  readonly impersonated: boolean
  /** Whether it ran with a token of the caller's person. */
  readonly asCaller?: boolean
  readonly record: RequestRecord
}

/**
 * Creates the function that logs, in the words of `check`, refusals caused by the configuration
 * or by something on the way. The caller gets the original response.
 *
 * @param delegated whether the access token belongs to a person who signed in
 * @param explained receives the logged explanation
 */
export function explainRefusals(
  log: Pick<Logger, 'warn'>,
  delegated: boolean,
  explained: (explanation: Explanation) => void,
): (refusal: Refusal) => void {
  const isDue = onceIn(LOG_INTERVAL_MS)

  return ({ status, contentType, body, impersonated, asCaller = false, record }) => {
    if (status !== 403 && status !== 400) return
    const page = isPage(contentType)
    if (!page && body === undefined) return
    const error = page ? {} : errorIn(parseJson(body!.toString('utf8')))
    const { code, message } = error
    const ofTheSetup = code !== undefined && SETUP_ERROR_CODES.test(code.toLowerCase())
    if (!page && !ofTheSetup && !SETUP_ERROR_TEXTS.test(message ?? '')) return
    if (!isDue(`${page ? 'page' : (code ?? '')} ${impersonated}`)) return
    const explanation = explainDynamics({
      status,
      contentType,
      impersonated,
      delegated: delegated || asCaller,
      ...error,
    })
    explained(explanation)
    log.warn({ ...requestIds(record), dynamics: code, status, callerId: impersonated }, inOneLine(explanation))
  }
}

/** The explanation of a refusal, in the words of `check`. */
export function explainRefusal({ status, contentType, body, impersonated }: Refusal, delegated: boolean): Explanation {
  const error = isPage(contentType) || body === undefined ? {} : errorIn(parseJson(body.toString('utf8')))
  return explainDynamics({ status, contentType, impersonated, delegated, ...error })
}
