/** Where the access tokens of a request come from. */
export interface AccessTokens {
  /**
   * The value of the Authorization header, `Bearer …`, of a token that is valid now. At once while one is
   * held; a promise while the first is fetched.
   *
   * @throws CredentialRejected when the authority refuses the credential, TokenUnavailable (with `retryAfter`)
   *   when it gives no token for now
   */
  readonly authorization: () => string | Promise<string>
  /**
   * Dynamics refused `authorization`: the next call fetches a new token, once for all who got the same refusal.
   *
   * @param claims what a claims challenge asked for, decoded; `undefined` without one
   * @throws UserClaimsRequired where only the person whose token it is can meet `claims`
   */
  readonly discard: (authorization: string, claims?: string) => void
}

/** What the gateway proves its identity with to one environment: an access token, kept ready. */
export interface Credential extends AccessTokens {
  /** What is known of the token now; for health, metrics and logs. */
  readonly state: () => TokenState
  /** Fetches the first token ahead of the first request. Never throws: a failure is logged and tried again. */
  readonly warmUp: () => void
  /**
   * Fetches a new token with what the credential's files hold now, while the present one stays in use.
   * For a changed file and SIGHUP. Never throws: a failure is logged, and the old credential kept.
   */
  readonly reload: () => void
  /** Ends timers and file watches. */
  readonly close: () => void
}

export interface TokenState {
  /** `fresh`: not yet due for renewal. `stale`: valid, renewal due or failing. `none`: no valid token. */
  readonly token: 'fresh' | 'stale' | 'none'
  /** Milliseconds to the token's expiry; negative or 0 when there is none. */
  readonly validFor: number
  /** Fetches that succeeded and failed since the start. */
  readonly renewals: number
  readonly failures: number
  /** The last failure in one sentence for an operator, with what to do; `undefined` after a success. */
  readonly trouble: string | undefined
  /** When the credential itself ends, as a certificate does, in milliseconds since 1970; left out where nobody says. */
  readonly credentialEnds?: number
}

/** What the authority answered. */
export interface FetchedToken {
  readonly accessToken: string
  /** Seconds from now; `undefined` where the authority says nothing that makes sense. */
  readonly expiresIn: number | undefined
  /** Seconds from now, where the authority says when to renew. */
  readonly refreshIn?: number | undefined
  /** When the credential that it was fetched with ends, in milliseconds since 1970. */
  readonly credentialEnds?: number
}

/**
 * Fetches one token; a kind of credential is no more than this. Throws an AuthorityFailure.
 *
 * `claims` answers a claims challenge; `signal` ends the attempt.
 */
export type FetchToken = (request: TokenRequest) => Promise<FetchedToken>

export interface TokenRequest {
  readonly claims?: string | undefined
  /** The person to fetch the token for; `undefined`: for the app itself. */
  readonly onBehalfOf?: UserAssertion | undefined
  readonly signal: AbortSignal
}

/** A person's token for the app registration, to be exchanged for one of `scope`. */
export interface UserAssertion {
  readonly assertion: string
  readonly scope: string
}
