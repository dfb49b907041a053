import { credentialKinds } from './settings/credential.ts'
import type { CredentialKindName } from './settings/credential.ts'
import { andList } from './word-list.ts'

const KINDS = Object.entries(credentialKinds).map(([kind, of]) => ({
  kind: kind as CredentialKindName,
  variable: 'variable' in of ? of.variable : undefined,
  variables: Object.values(of.settings.members).map(({ env }) => env),
}))

/** The variables that choose a kind of credential. */
export const CHOOSING_VARIABLES: readonly string[] = KINDS.flatMap(({ variable }) => variable ?? [])

/**
 * The kind of credential that the variables describe. Without a variable that chooses one it is a managed identity, but
 * only without a tenant: a tenant without a credential means that a variable was forgotten.
 *
 * @param named the value of CREDENTIAL, for kinds that no variable chooses; it does not decide between two kinds
 */
export function chooseCredential(
  isSet: (variable: string) => boolean,
  named: string | undefined,
  errors: string[],
): CredentialKindName | undefined {
  const chosen = KINDS.filter(({ variable }) => variable !== undefined && isSet(variable))
  if (named !== undefined) return namedKind(named, chosen, errors)
  if (chosen.length > 1) {
    const all = andList(chosen.map(({ variable }) => variable!))
    errors.push(`${all} are all set, but only one kind of credential can be used: remove all but one.`)
    return undefined
  }
  if (chosen[0] !== undefined) return chosen[0].kind
  // With a tenant, the secret is missing.
  return isSet('AZURE_TENANT_ID') ? 'client-secret' : 'managed-identity'
}

function namedKind(named: string, chosen: typeof KINDS, errors: string[]): CredentialKindName | undefined {
  const found = KINDS.find(({ kind }) => kind === named)
  if (found === undefined) {
    errors.push(`CREDENTIAL is not known: write one of ${KINDS.map(({ kind }) => kind).join(', ')}.`)
    return undefined
  }
  const others = chosen.filter(({ variable }) => !found.variables.includes(variable))
  if (others.length > 0) {
    const all = andList(others.map(({ variable }) => variable!))
    errors.push(
      `CREDENTIAL is ${named}, and ${all} ${others.length === 1 ? 'belongs' : 'belong'} to another kind ` +
        `(${others.map(({ kind }) => kind).join(', ')}), but only one kind of credential can be used. ` +
        `Remove ${all} (leave it empty where a platform sets it), or CREDENTIAL.`,
    )
  }
  return found.kind
}
