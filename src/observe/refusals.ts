import { unzipSync } from 'node:zlib'

import { errorIn, explainDynamics } from '../credentials/dynamics-errors.ts'
import { inOneLine } from '../credentials/explanation.ts'
import { onceIn } from './once-in.ts'

interface Log { readonly warn: (facts: object, sentence: string) => void }

/** A set-up that is wrong shows in every request; the log says so once in a while. */
const ONCE_IN = 60_000

/**
 * Errors that the set-up is to blame for, not the request: no application user, no roles, may not
 * impersonate, disabled, IP firewall.
 */
const OF_THE_SETUP = /^0x(80072560|80042f09|8004a110|80040225|8004a104|8004d24b)$/

/**
 * Makes the function that tells the operator, in the words of `check`, when Dynamics refuses requests because of how
 * the gateway is set up. The caller gets Dynamics' own answer.
 *
 * @returns looks at an answer's status, the beginning of its body as it arrived, and whether it ran as a user
 */
export function refusalsExplained(log: Log): (status: number, body: Buffer | undefined, impersonated: boolean) => void {
  const isDue = onceIn(ONCE_IN)

  return (status, body, impersonated) => {
    if ((status !== 403 && status !== 400) || body === undefined) return
    const error = errorIn(json(body))
    const { code, message } = error
    const ofTheSetup = code !== undefined && OF_THE_SETUP.test(code.toLowerCase())
    if (!ofTheSetup && !/prvActOnBehalfOfAnotherUser|access to your IP is blocked/i.test(message ?? '')) return
    const key = `${code ?? ''} ${impersonated}`
    if (!isDue(key)) return
    log.warn(
      { dynamics: code, status, callerId: impersonated },
      inOneLine(explainDynamics({ status, impersonated, ...error })),
    )
  }
}

/** What an answer says, coded or not, as parsed JSON; `undefined` where it is not whole or no JSON. */
function json(body: Buffer): unknown {
  try {
    return JSON.parse((body[0] === 0x1f ? unzipSync(body, { maxOutputLength: 64 * 1024 }) : body).toString('utf8'))
  } catch {
    return undefined
  }
}
