import type { Origins } from '../dataverse/environment.ts'
import type { AccessTokens, Person, TokenSettings } from './access-tokens.ts'
import type { AssertionKeys } from './assertions.ts'
import type { OnBehalfOf } from './on-behalf-of.ts'
import type { Grants, SignIn } from './sign-in.ts'
import type { UserTokens } from './user-tokens.ts'

/** The emulated Microsoft Entra: the tenant, its app registration, and their behaviour. */
export interface Directory {
  readonly accessTokens: AccessTokens
  readonly tokens: TokenSettings
  readonly keys: AssertionKeys
  readonly userTokens: UserTokens
  readonly onBehalfOf: OnBehalfOf
  readonly grants: Grants
  readonly signIn: SignIn
  readonly signedIn: () => Person
  /** The accepted client secrets. */
  readonly secrets: Set<string>
  /** Resources that tokens can be requested for, without a trailing slash. */
  readonly resources: Origins
  /** Registered redirect URIs, besides `http://localhost` with any port. */
  readonly redirectUris: Set<string>
}

/** A request to Entra. */
export interface EntraRequest {
  readonly method: string
  readonly origin: string
  readonly path: string
  readonly query: string
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}
