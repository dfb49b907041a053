import { requestIds } from '../dynamics/request-record.ts'
import type { RequestRecord } from '../dynamics/request-record.ts'
import { errorIn, explainDynamics } from '../explanations/dynamics-errors.ts'
import { inOneLine } from '../explanations/explanation.ts'
import type { Explanation } from '../explanations/explanation.ts'
import { isPage } from '../explanations/foreign-answers.ts'
import type { Logger } from '../logger.ts'
import { onceIn } from './once-in.ts'

/** A set-up that is wrong shows in every request; the log says so once in a while. */
const ONCE_IN = 60_000

/**
 * Errors that the set-up is to blame for, not the request: no application user, no roles, may not
 * impersonate, disabled, IP firewall.
 */
const OF_THE_SETUP = /^0x(80072560|80042f09|8004a110|80040225|8004a104|8004d24b)$/

/** Sentences of the same kind, whose codes are not documented. */
const SAYS_SO = /prvActOnBehalfOfAnotherUser|access to your IP is blocked|Dataverse API is restricted for this app/i

/** A refusal as Dynamics, or something in its place, answered it. */
export interface Refusal {
  readonly status: number
  readonly contentType: string
  /** The first bytes of the body, with their coding undone; `undefined` where that is not possible. */
  readonly body: Buffer | undefined
  /** Whether the request ran as a user that the gateway acts for. */
  readonly impersonated: boolean
  /** Whether it ran with a token of the person who called. */
  readonly asCaller?: boolean
  readonly record: RequestRecord
}

/**
 * Makes the function that tells the operator, in the words of `check`, when requests are refused because of how the
 * gateway is set up, or by something that stands between. The caller gets the answer itself.
 *
 * @param delegated whether the access token is of a person who signed in
 * @param explained gets what is logged
 */
export function refusalsExplained(
  log: Pick<Logger, 'warn'>,
  delegated: boolean,
  explained: (explanation: Explanation) => void = () => undefined,
): (refusal: Refusal) => void {
  const isDue = onceIn(ONCE_IN)

  return ({ status, contentType, body, impersonated, asCaller = false, record }) => {
    if (status !== 403 && status !== 400) return
    const page = isPage(contentType)
    if (!page && body === undefined) return
    const error = page ? {} : errorIn(json(body!))
    const { code, message } = error
    const ofTheSetup = code !== undefined && OF_THE_SETUP.test(code.toLowerCase())
    if (!page && !ofTheSetup && !SAYS_SO.test(message ?? '')) return
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

/** What a refusal means, whatever it is about, in the words of `check`. */
export function explainRefusal({ status, contentType, body, impersonated }: Refusal, delegated: boolean): Explanation {
  const error = isPage(contentType) || body === undefined ? {} : errorIn(json(body))
  return explainDynamics({ status, contentType, impersonated, delegated, ...error })
}

/** A body as parsed JSON; `undefined` where it is incomplete, or not JSON. */
function json(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
