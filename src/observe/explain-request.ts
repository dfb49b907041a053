import type { Target } from '../config/schema.ts'
import { explainDynamics } from '../explanations/dynamics-errors.ts'
import type { Explanation } from '../explanations/explanation.ts'
import { explainGateway } from '../explanations/gateway-errors.ts'
import type { Exchange } from '../server/exchange.ts'

/** The target of a request, as far as an explanation needs it. */
export interface Asked {
  readonly target: Pick<Target, 'name' | 'url' | 'impersonation'>
  /** What the authority last refused. */
  readonly trouble: string | undefined
}

/** What went wrong with a request that is over, and the fix; `undefined` where nothing did, or nothing is known. */
export function explanationOf(
  { code, message = '', causes, record }: Exchange,
  asked: Asked | undefined,
  status: number,
): Explanation | undefined {
  if (status === 499) return LEFT
  if (code === undefined) {
    // An error without a body says no more than its status.
    return record.explanation ?? (status >= 400 ? explainDynamics({ status }) : undefined)
  }
  return explainGateway({
    code,
    message,
    causes,
    host: asked === undefined ? undefined : new URL(asked.target.url.origin).host,
    trouble: asked?.trouble,
  })
}

const LEFT: Explanation = {
  what: 'The caller closed its connection before it had the response.',
  why: 'Its own timeout ran out, or it was ended.',
  todo: 'See below where the time went; give the caller a longer timeout, or ask for less at once.',
}
