import type { Dispatcher } from 'undici'

import { runsAsPerson } from '../../config/credential.ts'
import type { Proxies } from '../../config/proxies.ts'
import type { Target } from '../../config/schema.ts'
import type { CallerSettings } from '../../config/settings/callers.ts'
import type { UserToken } from '../../credentials/user-tokens.ts'
import type { Explanation } from '../../explanations/explanation.ts'
import { OwnError } from '../../logging/own-error.ts'

/** One step of `check`. */
export interface Step {
  readonly name: string
  /** Throws a {@link StepFailure}. Any other error is a fault of the gateway itself. */
  readonly run: (context: CheckContext) => Promise<Outcome>
}

/** The result of a step that did not fail. */
export interface Outcome {
  readonly result: 'ok' | 'warning' | 'skipped'
  /** The finding as text, without secrets. */
  readonly says: string
  /** More lines of text. */
  readonly details?: readonly string[]
}

/** The failure of a step. The steps after it are skipped. */
export class StepFailure extends OwnError {
  readonly explanation: Explanation
  constructor(explanation: Explanation) {
    super(explanation.what)
    this.explanation = explanation
  }
}

/** The input of the steps for one target, and the results of earlier steps. */
export interface CheckContext {
  readonly target: Target
  readonly agent: Dispatcher
  readonly env: Readonly<Record<string, string | undefined>>
  /** The network's proxies. */
  readonly proxies: Proxies
  readonly emulated: boolean
  /** E-mail address of the user to try impersonation with. */
  readonly user: string | undefined
  /** The callers of the gateway. */
  readonly callers: readonly CallerSettings[]
  /** The file with the token of a person who is signed in to an app. */
  readonly tokenFile: string | undefined
  /** The response to a request without a token, and the times of both. */
  challenge?: { readonly headers: Readonly<Record<string, string>>; readonly asked: number; readonly answered: number }
  authorization?: string
  /** The id of the user that the token runs as. */
  userId?: string
  /** The person whose token is in `tokenFile`. */
  person?: UserToken
  /** Whether `authorization` is the token of that person. */
  asPerson?: boolean
}

/** Whether the token belongs to a person who signed in, so that there is no application user to check. */
export function isDelegated({ target, asPerson = false }: Pick<CheckContext, 'target' | 'asPerson'>): boolean {
  return asPerson || runsAsPerson(target.credential)
}

export function ok(says: string): Outcome {
  return { result: 'ok', says }
}

export function warning(says: string): Outcome {
  return { result: 'warning', says }
}

export function skipped(says: string): Outcome {
  return { result: 'skipped', says }
}
