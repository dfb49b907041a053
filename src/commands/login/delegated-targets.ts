import type { Target } from '../../config/schema.ts'
import type { AppRegistration } from '../../credentials/app-registration.ts'
import { authorityHostOf, scopeOf } from '../../credentials/connect-credential.ts'
import { tokenStore } from '../../credentials/token-store.ts'
import type { TokenStore } from '../../credentials/token-store.ts'
import type { CommandIo } from '../command-io.ts'

/** A target that forwards as a person, and where the person's sign-in is kept. */
export interface DelegatedTarget {
  readonly app: AppRegistration
  readonly secret: string | undefined
  readonly kept: TokenStore
}

/** The targets with CREDENTIAL=delegated, each app registration once: targets of one registration share a sign-in. */
export function delegatedTargets({ settings, agent, env }: CommandIo): DelegatedTarget[] {
  const found = settings.targets.map((target) => of(target)).filter((one) => one !== undefined)
  return found.filter((one, index) => found.findIndex(({ kept }) => kept.file === one.kept.file) === index)

  function of(target: Target): DelegatedTarget | undefined {
    const { credential } = target
    if (credential.kind !== 'delegated') return undefined
    const app = {
      authorityHost: authorityHostOf(target),
      scope: scopeOf(target),
      tenantId: credential.tenantId,
      clientId: credential.clientId,
      dispatcher: agent,
    }
    return { app, secret: credential.secret?.reveal(), kept: tokenStore(app, env) }
  }
}
