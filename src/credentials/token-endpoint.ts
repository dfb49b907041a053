import { authorityRequest } from './authority-request.ts'
import type { ExchangeOptions } from './authority-request.ts'
import { responseFailure, tokenIn } from './authority-response.ts'
import type { AuthorityResponse } from './authority-response.ts'
import type { FetchedToken } from './credential.ts'
import { claimsOf } from './token-claims.ts'

/** The tokens of a person's sign-in. */
export interface PersonsToken extends FetchedToken {
  /** `undefined` when the authority issues none, or the old one stays valid. */
  readonly refreshToken: string | undefined
  /** The user name of the person, for display only. */
  readonly userName: string | undefined
}

/**
 * Sends a form to an endpoint of the authority. Throws an AuthorityFailure without a response.
 *
 * @param idempotent whether the form may be sent twice when a connection breaks
 */
export function post(
  endpoint: string,
  form: Readonly<Record<string, string | undefined>>,
  options: ExchangeOptions,
  idempotent = true,
): Promise<AuthorityResponse> {
  const set = Object.entries(form).filter((field): field is [string, string] => field[1] !== undefined)
  return authorityRequest(
    {
      method: 'POST',
      url: new URL(endpoint),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(set).toString(),
      idempotent,
    },
    options,
  )
}

/**
 * A person's token for the grant in `form`: a code, a device code or a refresh token. Each may be valid only
 * once, so the request is not repeated.
 *
 * @throws AuthorityFailure
 */
export async function redeem(
  endpoint: string,
  form: Readonly<Record<string, string | undefined>>,
  options: ExchangeOptions,
): Promise<PersonsToken> {
  const response = await post(endpoint, form, options, false)
  const failure = responseFailure(response)
  if (failure !== undefined) throw failure
  const { refresh_token: refreshToken, id_token: idToken } = response.body!
  return {
    ...tokenIn(response),
    refreshToken: typeof refreshToken === 'string' && refreshToken !== '' ? refreshToken : undefined,
    userName: typeof idToken === 'string' ? nameIn(idToken) : undefined,
  }
}

function nameIn(idToken: string): string | undefined {
  const { preferred_username: userName, email, name, sub } = claimsOf(idToken)
  return [userName, email, name, sub].find((one) => typeof one === 'string')?.slice(0, 200)
}
