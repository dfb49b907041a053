import type {} from 'fastify'

import type { Policy } from '../config/settings/policy.ts'
import type { AccessTokens } from '../credentials/credential.ts'
import type { UserToken } from '../credentials/user-tokens.ts'

/** Who calls the gateway. */
export interface Caller {
  /** The name in the settings; `anybody` where no callers are listed. */
  readonly name: string
  readonly policy: Policy
  /** Whether it may use the request inspector from another machine. */
  readonly inspect?: boolean
  /** The user from the caller's token, if the settings take the user from there. */
  readonly user?: { readonly objectId: string } | { readonly email: string } | SignedIn
  /** The caller's token, if it is to be exchanged. Never stored beyond the request. */
  readonly token?: Pick<UserToken, 'id' | 'assertion'>
}

/** A person whose token is exchanged. */
export interface SignedIn {
  readonly onBehalfOf: Session
  /** Whether a request may name another user by header, and then runs as that user. */
  readonly mayNameOthers: boolean
}

/** Who is signed in, and until when; without the token. */
export type Session = Omit<UserToken, 'id' | 'assertion'>

/** The user that a request runs as. */
export interface User {
  /** `systemuserid` of the row; absent where only a token's object id is known. */
  readonly systemUserId?: string
  /** Entra object id of the row; absent where the row has none. */
  readonly objectId?: string
}

/** A user, or the error to answer with where no single user is certain. */
export type UserOrFault =
  | { readonly user: User; readonly fault?: undefined }
  | { readonly user?: undefined; readonly fault: Error }

/** Who calls, or the error to answer with. */
export type CallerOrFault =
  | { readonly caller: Caller; readonly fault?: undefined }
  | { readonly caller?: undefined; readonly fault: Error }

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by `authenticate`. */
    caller: Caller
    /** Set by `impersonate`; `undefined`: the application user. */
    user: User | undefined
    /** Set by `impersonate`: the person's own access tokens; `undefined`: those of the target. */
    tokens: AccessTokens | undefined
  }
}
