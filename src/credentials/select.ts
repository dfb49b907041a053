import type { Dispatcher } from 'undici'

import type { Target } from '../config.ts'
import type { AppRegistration } from './app-token.ts'
import { clientSecret } from './client-secret.ts'
import type { Credential, FetchToken, Log } from './credential.ts'
import { rememberToken } from './remembered.ts'
import { rotating } from './rotation.ts'
import { watchFiles } from './watch.ts'

export interface ConnectOptions {
  /** The only way out of the process. */
  readonly agent: Dispatcher
  readonly log: Log
}

/** The credential of `target`, with its token kept ready and its files watched. */
export function connectCredential(target: Target, { agent, log }: ConnectOptions): Credential {
  const { fetch, files } = kindOf(target, { agent, log })
  const credential = rememberToken(fetch, { timeout: target.tokenTimeout, log })
  const unwatch = watchFiles(files, () => {
    log.info({}, 'a file of the credential changed')
    credential.reload()
  })
  log.info(factsOf(target), 'credential')
  return {
    ...credential,
    close: () => {
      unwatch()
      credential.close()
    },
  }
}

/** What may be shown of a credential: its kind, tenant, client id and authority. */
export function factsOf(target: Target): { kind: string, tenant?: string, clientId?: string, authority?: string } {
  const { credential } = target
  if (credential.kind === 'managed-identity') {
    return { kind: credential.kind, ...(credential.clientId === undefined ? {} : { clientId: credential.clientId }) }
  }
  return { kind: credential.kind, tenant: credential.tenantId, clientId: credential.clientId, authority: authorityHostOf(target) }
}

export function authorityHostOf(target: Target): string {
  return target.authorityHost ?? target.url.authorityHost
}

/** The scope of the access token for `target`. */
export function scopeOf(target: Target): string {
  return target.scope ?? target.url.scope
}

interface Kind {
  readonly fetch: FetchToken
  /** Files to watch. */
  readonly files: readonly string[]
}

function kindOf(target: Target, { agent, log }: ConnectOptions): Kind {
  const { credential } = target
  const registration = (of: { readonly tenantId: string, readonly clientId: string }): AppRegistration => ({
    authorityHost: authorityHostOf(target), scope: scopeOf(target), dispatcher: agent, tenantId: of.tenantId, clientId: of.clientId,
  })
  switch (credential.kind) {
    case 'client-secret': {
      const { secret } = credential
      return { fetch: rotating(() => clientSecret(registration(credential), secret), log), files: secret.file === undefined ? [] : [secret.file] }
    }
    case 'certificate':
    case 'workload-identity':
    case 'managed-identity':
    case 'delegated':
      throw new Error('not yet')
  }
}
