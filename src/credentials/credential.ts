/** The source of a request's access token. */
export interface AccessTokens {
  /**
   * The value of the Authorization header, `Bearer …`, with a token that is valid now. A string while one is
   * cached; a promise while the first is fetched.
   *
   * @throws CredentialRejected when the authority refuses the credential, TokenUnavailable (with `retryAfter`)
   *   when it issues no token for now
   */
  readonly authorization: () => string | Promise<string>
  /**
   * Dynamics refused `authorization`: the next call fetches a new token, once for all requests with the same refusal.
   *
   * @param claims the decoded claims of a claims challenge; `undefined` without one
   * @throws UserClaimsRequired when only the token's person can meet `claims`
   */
  readonly discard: (authorization: string, claims?: string) => void
}

/** What the gateway proves its identity with to one environment: an access token, kept ready. */
export interface Credential extends AccessTokens {
  /** The state of the token; for health, metrics and logs. */
  readonly state: () => TokenState
  /** Fetches a token before the first request. Never throws: a failure is logged and retried. */
  readonly warmUp: () => void
  /**
   * Fetches a new token with the current content of the credential's files. The cached token stays in use meanwhile.
   * For changed files and SIGHUP. Never throws: a failure is logged, and the old credential is kept.
   */
  readonly reload: () => void
  /** Ends timers and file watches. */
  readonly close: () => void
}

export interface TokenState {
  /** `fresh`: not yet due for renewal. `stale`: valid, renewal due or failing. `none`: no valid token. */
  readonly token: 'fresh' | 'stale' | 'none'
  /** Milliseconds until the token expires; 0 or negative without a valid token. */
  readonly validFor: number
  /** Successful and failed fetches since the start. */
  readonly renewals: number
  readonly failures: number
  /** The last failure in one sentence for operators, with the fix; `undefined` after a success. */
  readonly lastFailure: string | undefined
  /** When the credential itself expires, such as a certificate, in milliseconds since 1970; omitted if unknown. */
  readonly credentialEnds?: number
}

/** A token from the authority. */
export interface FetchedToken {
  readonly accessToken: string
  /** Seconds from now; `undefined` without a valid value from the authority. */
  readonly expiresIn: number | undefined
  /** Seconds from now, if the authority says when to renew. */
  readonly refreshIn?: number | undefined
  /** When the credential it was fetched with expires, in milliseconds since 1970. */
  readonly credentialEnds?: number
}

/**
 * Fetches one token. Throws an AuthorityFailure.
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
