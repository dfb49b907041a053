import type { Dispatcher } from 'undici'

import { environment } from '../config/load.ts'
import type { Target } from '../config/schema.ts'
import { watchFiles } from '../config/watch-files.ts'
import type { AppRegistration } from './app-registration.ts'
import { certificate } from './certificate.ts'
import { clientSecret } from './client-secret.ts'
import type { Credential, FetchToken, Log } from './credential.ts'
import { delegated } from './delegated.ts'
import { managedIdentity } from './managed-identity.ts'
import { withRotation } from './rotation.ts'
import { cacheToken } from './token-cache.ts'
import { tokenStore } from './token-store.ts'
import { workloadIdentity } from './workload-identity.ts'

export interface ConnectOptions {
  /** The only way out of the process. */
  readonly agent: Dispatcher
  readonly log: Log
  /** Where the platform announces a managed identity. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** The credential of `target`, with its token kept ready and its files watched. */
export function connectCredential(target: Target, options: ConnectOptions): Credential {
  const { log } = options
  const { fetch, files, isOwnChange } = kindOf(target, options)
  const credential = cacheToken(fetch, { timeout: target.tokenTimeout, log })
  const unwatch = watchFiles(files, () => {
    if (isOwnChange?.() === true) return
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
export function factsOf(target: Target): { kind: string; tenant?: string; clientId?: string; authority?: string } {
  const { credential } = target
  if (credential.kind === 'managed-identity') {
    return { kind: credential.kind, ...(credential.clientId === undefined ? {} : { clientId: credential.clientId }) }
  }
  return {
    kind: credential.kind,
    tenant: credential.tenantId,
    clientId: credential.clientId,
    authority: authorityHostOf(target),
  }
}

/** The authority of `target`: the one that is set, else that of its cloud. */
export function authorityHostOf(target: Pick<Target, 'url' | 'authorityHost'>): string {
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
  /** Whether the gateway itself wrote what changed in a file. */
  readonly isOwnChange?: () => boolean
}

function kindOf(target: Target, { agent, log, env = environment() }: ConnectOptions): Kind {
  const { credential } = target
  const registration = (of: { readonly tenantId: string; readonly clientId: string }): AppRegistration => ({
    authorityHost: authorityHostOf(target),
    scope: scopeOf(target),
    dispatcher: agent,
    tenantId: of.tenantId,
    clientId: of.clientId,
  })
  switch (credential.kind) {
    case 'client-secret': {
      const { secret } = credential
      return {
        fetch: withRotation(() => clientSecret(registration(credential), secret), log),
        files: filesOf(secret.file),
      }
    }
    case 'certificate':
      return {
        fetch: withRotation(certificate(registration(credential), credential, log), log),
        files: filesOf(credential.file, credential.password?.file),
      }
    case 'workload-identity':
      return { fetch: workloadIdentity(registration(credential), credential.file), files: [credential.file] }
    case 'managed-identity':
      return {
        fetch: managedIdentity({ clientId: credential.clientId, scope: scopeOf(target), dispatcher: agent, env }),
        files: [],
      }
    case 'delegated': {
      const app = registration(credential)
      const kept = tokenStore(app, env)
      return {
        ...delegated({ app, secret: credential.secret, kept, log }),
        files: filesOf(kept.file, credential.secret?.file),
      }
    }
  }
}

function filesOf(...files: readonly (string | undefined)[]): string[] {
  return files.filter((file) => file !== undefined)
}
