import { pause } from './cancellation.ts'
import { Failure } from './dispatch.ts'
import { kindOf } from './failures.ts'
import { keep } from './buffered-response.ts'
import { codeOf } from './limits/parse.ts'
import type { RetryBudget } from './retry-budget.ts'
import { header } from './send.ts'
import type { Answer, Outbound, Send } from './send.ts'
import { ONCE_MORE } from './retry-policy.ts'
import type { Trouble } from './retry-policy.ts'
import type { Watch } from './events.ts'

/** Some breath between two attempts, up to this long, where Dynamics has trouble; everybody takes another one. */
const BREATH = 200

/** Sends once more where that can help and can do no harm, as far as `budget` goes. */
export function retry(send: Send, budget: RetryBudget, watch: Watch): Send {
  return (request) => {
    budget.sent()
    return send(request).then(
      (answer) => answer.status < 500 ? answer : afterTrouble(request, answer),
      (error) => afterFailure(request, error),
    )
  }

  async function afterTrouble(request: Outbound, refusal: Answer): Promise<Answer> {
    let looked
    try {
      looked = await troubleIn(request, refusal)
    } catch (error) {
      return afterFailure(request, error)
    }
    const { answer, trouble } = looked
    if (!mayRepeat(request, trouble)) return answer
    answer.body.discard()
    await pause(request.departure, BREATH * (0.5 + Math.random() / 2))
    return send(request)
  }

  function afterFailure(request: Outbound, error: unknown): Promise<Answer> {
    return error instanceof Failure && mayRepeat(request, troubleOf(error)) ? send(request) : Promise.reject(error)
  }

  function mayRepeat(request: Outbound, trouble: Trouble | undefined): boolean {
    if (trouble === undefined || !isRepeatable(request, trouble)) return false
    // One on a stale connection repeats no load: nobody has seen the request.
    const may = trouble === 'stale-connection' || budget.take()
    watch({ kind: may ? 'retry' : 'retry-budget', trouble })
    return may
  }
}

function isRepeatable({ repeatable, body }: Outbound, trouble: Trouble): boolean {
  return ONCE_MORE[trouble][repeatable] && (body === undefined || Buffer.isBuffer(body))
}

function troubleOf(failure: Failure): Trouble | undefined {
  switch (kindOf(failure)) {
    case 'unreachable': return 'no-connection'
    case 'broke-off': return failure.reused ? 'stale-connection' : 'broke-off'
    case 'untrusted': case 'connect-timeout': case 'head-timeout': case 'answer-invalid':
    case 'request-invalid': case 'stopping': case 'ours': return undefined
  }
}

/** Looks into a 5xx; its body may have been read, and the answer is another then. */
async function troubleIn(request: Outbound, answer: Answer): Promise<{ answer: Answer, trouble: Trouble | undefined }> {
  if (answer.status === 500 && request.repeatable !== 'never') {
    const kept = await keep(answer, request)
    return { answer: kept, trouble: isDeadlock(kept.text) ? 'deadlock' : undefined }
  }
  // Who says when to come again has said so to the caller.
  const busy = answer.status >= 502 && answer.status <= 504 && header(answer, 'retry-after') === undefined
  return { answer, trouble: busy ? 'busy' : undefined }
}

/** Whether the body of a 500 tells of a deadlock in SQL Server (1205), whose victim was rolled back. */
export function isDeadlock(body: string): boolean {
  return codeOf(body) === 0x80044150 && /\b1205\b/.test(body)
}
