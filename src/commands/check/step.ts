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
  /** Throws a {@link StepFailure}; what else it throws is a fault of the gateway's own. */
  readonly run: (checking: Checking) => Promise<Outcome>
}

/** The result of a step that did not fail. */
export interface Outcome {
  readonly result: 'ok' | 'warning' | 'skipped'
  /** The finding in words; never a secret. */
  readonly says: string
  /** Lines below it. */
  readonly details?: readonly string[]
}

/** A step failed; the following ones are skipped. */
export class StepFailure extends OwnError {
  readonly explanation: Explanation
  constructor(explanation: Explanation) {
    super(explanation.what)
    this.explanation = explanation
  }
}

/** What the steps of one target work with, and what earlier steps found for later ones. */
export interface Checking {
  readonly target: Target
  readonly agent: Dispatcher
  readonly env: Readonly<Record<string, string | undefined>>
  /** The proxies of the network. */
  readonly proxies: Proxies
  readonly emulated: boolean
  /** E-mail address of the user to try impersonation with. */
  readonly user: string | undefined
  /** The callers of the gateway. */
  readonly callers: readonly CallerSettings[]
  /** The file with the token of a person who is signed in to an app. */
  readonly tokenFile: string | undefined
  /** The response to a request without a token. */
  challenge?: { readonly headers: Readonly<Record<string, string>>; readonly asked: number; readonly answered: number }
  authorization?: string
  /** The id of the user that the token runs as. */
  userId?: string
  /** Whose token is in `tokenFile`. */
  person?: UserToken
  /** Whether `authorization` is that person's. */
  asPerson?: boolean
}

/** Whether the token is of a person who signed in: then there is no application user to look at. */
export function isDelegated({ target, asPerson = false }: Pick<Checking, 'target' | 'asPerson'>): boolean {
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
