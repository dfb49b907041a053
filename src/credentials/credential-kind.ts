import type { Dispatcher } from 'undici'

import type { CredentialOf } from '../config/credential.ts'
import type { Target } from '../config/schema.ts'
import type { CredentialKindName } from '../config/settings/credential.ts'
import type { Logger } from '../logging/logger.ts'
import type { AppRegistration } from './app-registration.ts'
import { authorityHostOf, scopeOf } from './credential-facts.ts'
import type { FetchToken } from './credential.ts'

/**
 * One kind of credential: what it does with its settings, which `config/settings/credential.ts` describes.
 * CONTRIBUTING.md says how to add one.
 */
export interface CredentialKind<K extends CredentialKindName = CredentialKindName> {
  /** Prepares to fetch tokens. Never throws: an invalid file is found when a token is fetched. */
  readonly connect: (credential: CredentialOf<K>, context: ConnectContext) => TokenSource
  /** Whether an administrator must consent, as a sentence; omitted when the product of the environment decides. */
  readonly consent?: string
  /** What the credential presents to Entra, for `check` to show; never anything secret. */
  readonly describeProof?: (credential: CredentialOf<K>) => string | undefined
  /** The client secret with which `login` signs a person in. Only kinds with a sign-in have it. */
  readonly signInSecret?: (credential: CredentialOf<K>) => string | undefined
}

/** The source of tokens, and the files that they depend on. */
export interface TokenSource {
  readonly fetch: FetchToken
  /** Files to watch: a change causes a fetch of a new token. */
  readonly files?: readonly (string | undefined)[]
  /** Whether the gateway itself made the change in a file. */
  readonly isOwnChange?: () => boolean
}

/** What every kind needs to connect. */
export interface ConnectContext {
  readonly target: Target
  /** The only way out of the process. */
  readonly agent: Dispatcher
  readonly log: Logger
  /** Variables with the endpoint of the platform's managed identity. */
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The app registration of a credential. */
export function registrationOf(
  { tenantId, clientId }: { readonly tenantId: string; readonly clientId: string },
  { target, agent }: Pick<ConnectContext, 'target' | 'agent'>,
): AppRegistration {
  return {
    authorityHost: authorityHostOf(target),
    scope: scopeOf(target),
    dispatcher: agent,
    tenantId,
    clientId,
  }
}
