import type { Read } from './setting.ts'
import { credentialKinds } from './settings/credential.ts'
import type { CredentialKindName, KindGroups } from './settings/credential.ts'

/** The settings of one kind of credential. */
export type CredentialOf<K extends CredentialKindName> = {
  [P in K]: { readonly kind: P } & Read<KindGroups[P]>
}[K]

export type Credential = CredentialOf<CredentialKindName>

/** Whether requests run with the rights of a person instead of an application user. */
export function runsAsPerson({ kind }: Pick<Credential, 'kind'>): boolean {
  return credentialKinds[kind].runsAs === 'person'
}

/** Whether all requests run with the rights of the person whose token the caller sends. */
export function runsAsCaller({ kind }: Pick<Credential, 'kind'>): boolean {
  return credentialKinds[kind].runsAs === 'caller'
}

/** Whether this credential can exchange callers' user tokens. */
export function canExchange({ kind }: Pick<Credential, 'kind'>): boolean {
  return 'exchanges' in credentialKinds[kind]
}
