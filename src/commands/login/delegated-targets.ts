import type { Target } from '../../config/schema.ts'
import type { AppRegistration } from '../../credentials/app-registration.ts'
import { registrationOf } from '../../credentials/credential-kind.ts'
import { kindOf } from '../../credentials/kinds.ts'
import { tokenStore } from '../../credentials/token-store.ts'
import type { TokenStore } from '../../credentials/token-store.ts'
import type { CommandIo } from '../command-io.ts'

/** A target whose requests run as a person, with the store of the person's sign-in. */
export interface DelegatedTarget {
  readonly app: AppRegistration
  readonly secret: string | undefined
  readonly store: TokenStore
}

/** The targets with CREDENTIAL=delegated, one for each app registration: its targets share a sign-in. */
export function delegatedTargets({ settings, agent, env }: CommandIo): DelegatedTarget[] {
  const found = settings.targets.map((target) => of(target)).filter((one) => one !== undefined)
  return found.filter((one, index) => found.findIndex(({ store }) => store.file === one.store.file) === index)

  function of(target: Target): DelegatedTarget | undefined {
    const { credential } = target
    const { signInSecret } = kindOf(credential)
    if (signInSecret === undefined || !('tenantId' in credential)) return undefined
    const app = registrationOf(credential, { target, agent })
    return { app, secret: signInSecret(credential), store: tokenStore(app, env) }
  }
}
