import { canExchange } from '../config/credential.ts'
import { environment } from '../config/process-variables.ts'
import type { Target } from '../config/schema.ts'
import { watchFiles } from '../config/watch-files.ts'
import { factsOf } from './credential-facts.ts'
import type { ConnectContext } from './credential-kind.ts'
import type { Credential } from './credential.ts'
import { kindOf } from './kinds.ts'
import { cacheToken } from './token-cache.ts'
import { onBehalfOf } from './user-tokens.ts'
import type { OnBehalfOf } from './user-tokens.ts'

export type ConnectOptions = Pick<ConnectContext, 'agent' | 'log'> & Partial<Pick<ConnectContext, 'env'>>

/** The access tokens of one target. */
export interface ConnectedCredential extends Credential {
  /** Exchanges callers' user tokens; `undefined` where the kind of credential cannot do that. */
  readonly onBehalfOf: OnBehalfOf | undefined
}

/** The credential of `target`, with its token kept ready and its files watched. */
export function connectCredential(
  target: Target,
  { agent, log, env = environment() }: ConnectOptions,
): ConnectedCredential {
  const {
    fetch,
    files = [],
    isOwnChange,
  } = kindOf(target.credential).connect(target.credential, {
    target,
    agent,
    log,
    env,
  })
  const credential = cacheToken(fetch, { timeout: target.tokenTimeout, log })
  const { clientId } = target.credential
  const people =
    canExchange(target.credential) && clientId !== undefined ? onBehalfOf(target, clientId, fetch, log) : undefined
  const watched = files.filter((file) => file !== undefined)
  const unwatch = watchFiles(watched, () => {
    if (isOwnChange?.() === true) return
    log.info({}, 'a file of the credential changed')
    credential.reload()
  })
  log.info(factsOf(target), 'credential')
  return {
    ...credential,
    onBehalfOf: people,
    close: () => {
      people?.close()
      unwatch()
      credential.close()
    },
  }
}
