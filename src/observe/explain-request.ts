import type { Target } from '../config/schema.ts'
import { explainDynamics } from '../explanations/dynamics-errors.ts'
import type { Explanation } from '../explanations/explanation.ts'
import { explainGateway } from '../explanations/gateway-errors.ts'
import { errorWord } from '../logging/logged-error.ts'
import type { Exchange } from '../server/exchange.ts'

/** The parts of a request's target that an explanation needs. */
export interface ReachedTarget {
  readonly target: Pick<Target, 'name' | 'url' | 'impersonation'>
  /** The last failure of the authority. */
  readonly lastFailure: string | undefined
}

/** The error of a finished request, and its fix; `undefined` without an error, or for an unknown one. */
export function explanationOf(
  { code, message = '', causes, record }: Exchange,
  reached: ReachedTarget | undefined,
  status: number,
): Explanation | undefined {
  if (status === 499) return LEFT
  if (code === undefined && record.bodyError !== undefined) {
    return { ...BROKE_OFF, why: `${BROKE_OFF.why} (${errorWord(record.bodyError)})` }
  }
  if (code === undefined) {
    // An error without a body has no information besides its status.
    return record.explanation ?? (status >= 400 ? explainDynamics({ status }) : undefined)
  }
  return explainGateway({
    code,
    message,
    causes,
    host: reached === undefined ? undefined : new URL(reached.target.url.origin).host,
    lastFailure: reached?.lastFailure,
  })
}

const LEFT: Explanation = {
  what: 'The caller closed its connection before it had the response.',
  why: 'Its own timeout ran out, or it was stopped.',
  todo: 'See below where the time went. Give the caller a longer timeout, or request less data at once.',
}

const BROKE_OFF: Explanation = {
  what: 'The response broke off after its head had been passed on, so the connection of the caller was reset.',
  why: 'Dynamics, or something between, closed its connection or sent nothing more.',
  todo: 'Send a read again. For a change, look first whether it was made.',
}
