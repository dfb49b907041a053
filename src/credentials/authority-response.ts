import { isMicrosoftsAuthority } from '../config/authority-hosts.ts'
import { TRANSIENT } from '../explanations/aadsts-transient.ts'
import { explainAuthorityResponse } from '../explanations/authority-errors.ts'
import type { FailureFacts } from '../explanations/authority-errors.ts'
import { explainConnection } from '../explanations/connection-errors.ts'
import { isGuid } from '../odata/guid.ts'
import { retryAfter } from '../outbound/retry-after.ts'
import type { FetchedToken } from './credential.ts'
import { AuthorityFailure } from './failure.ts'

/** A response of an authority. */
export interface AuthorityResponse {
  readonly url: URL
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** `undefined`: not a JSON object. */
  readonly body: Readonly<Record<string, unknown>> | undefined
}

/** Error codes of OAuth 2.0 and of Microsoft for transient errors. */
const TRANSIENT_ERRORS = /^(temporarily_unavailable|server_error|slow_down|authorization_pending)$/

/** The failure in `response`, or `undefined` when it is JSON and successful. */
export function responseFailure(response: AuthorityResponse): AuthorityFailure | undefined {
  const { status, body } = response
  if (status >= 200 && status < 300 && body !== undefined) return undefined
  const facts = factsOf(response)
  const passing =
    status === 408 ||
    status === 429 ||
    status >= 500 ||
    TRANSIENT_ERRORS.test(facts.error ?? '') ||
    (facts.aadsts !== undefined && TRANSIENT[facts.aadsts] !== undefined)
  const named = facts.error !== undefined || facts.aadsts !== undefined
  return new AuthorityFailure(explainAuthorityResponse(facts), !passing && named, facts)
}

/** The failure when `url` did not respond; `error` is undici's. */
export function connectionFailure(error: unknown, url: URL): AuthorityFailure {
  const { code } = error as { code?: unknown }
  const facts = { asked: askedOf(url), host: url.host, ...(typeof code === 'string' ? { code } : {}) }
  return new AuthorityFailure(explainConnection(facts), false, facts, error)
}

/**
 * The token in `response`.
 *
 * @throws AuthorityFailure when there is none, or one that must not be sent
 */
export function tokenIn(response: AuthorityResponse | undefined): FetchedToken {
  const {
    access_token: accessToken,
    token_type: type,
    expires_in: expiresIn,
    refresh_in: refreshIn,
  } = response?.body ?? {}
  if (
    response === undefined ||
    typeof accessToken !== 'string' ||
    !/^[A-Za-z0-9._~+/-]{1,32768}=*$/.test(accessToken)
  ) {
    throw unusable(response, 'without a usable access token')
  }
  if (type !== undefined && !(typeof type === 'string' && type.toLowerCase() === 'bearer')) {
    throw unusable(response, 'with a token that is not of type Bearer')
  }
  return { accessToken, expiresIn: seconds(expiresIn), refreshIn: seconds(refreshIn) }
}

function unusable(response: AuthorityResponse | undefined, how: string): AuthorityFailure {
  const explanation = {
    what: `${response?.url.host ?? 'The authority'} answered ${how}.`,
    why: 'The response does not say why. Something else may have answered in its place.',
    todo: "Nothing, if it is Microsoft's: it will pass. Else check AZURE_AUTHORITY_HOST and the proxy (HTTPS_PROXY).",
  }
  return new AuthorityFailure(explanation, false, response === undefined ? {} : factsOf(response))
}

/** Seconds as a number: Entra sends numbers, managed identities strings of digits. */
function seconds(value: unknown): number | undefined {
  const number =
    typeof value === 'number' ? value : typeof value === 'string' && /^\d{1,12}$/.test(value) ? Number(value) : NaN
  return Number.isFinite(number) ? number : undefined
}

/** Whether `value` has the form of OAuth's error codes, such as `invalid_client`. Echoed input does not. */
export function isOAuthError(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 60 && /^[a-z]+(?:_[a-z]+){0,6}$/.test(value)
}

/** Only fields known to be harmless: descriptions may echo assertions and claims. */
function factsOf({ url, status, headers, body }: AuthorityResponse): FailureFacts {
  const { error, error_codes: codes } = body ?? {}
  const said = textOf(body)
  const number = Array.isArray(codes) ? (codes[0] as unknown) : /\bAADSTS(\d{4,9})\b/.exec(said)?.[1]
  const wait = retryAfter(headers['retry-after'], Date.now())
  const contentType = /^\s*([\w.+-]{1,40}\/[\w.+-]{1,40})/.exec(headers['content-type'] ?? '')?.[1]
  return {
    asked: askedOf(url),
    host: url.host,
    status,
    ...(body !== undefined || contentType === undefined ? {} : { contentType }),
    ...(isOAuthError(error) ? { error } : {}),
    ...(Number.isSafeInteger(Number(number)) ? { aadsts: Number(number) } : {}),
    ...(wait === undefined ? {} : { retryAfter: wait }),
    ...identifier('correlationId', body?.['correlation_id'] ?? /\bCorrelation ID: (\S{36})/i.exec(said)?.[1]),
    ...identifier(
      'traceId',
      body?.['trace_id'] ??
        /\bTrace ID: (\S{36})/i.exec(said)?.[1] ??
        (isMicrosoftsAuthority(url.hostname) ? headers['x-ms-request-id'] : undefined),
    ),
  }
}

/**
 * The description of an error, to find Microsoft's number and ids in it. It is never shown. Entra sends it in
 * `error_description`, the endpoints of managed identities in other fields.
 */
export function textOf(body: AuthorityResponse['body']): string {
  const { error_description: description, message, ExceptionMessage: exception, error } = body ?? {}
  const { message: inner } = (typeof error === 'object' && error !== null ? error : {}) as { message?: unknown }
  return [description, message, exception, inner]
    .filter((text) => typeof text === 'string')
    .join(' ')
    .slice(0, 8192)
}

function askedOf(url: URL): string {
  return url.pathname.includes('/.well-known/') ? 'metadata' : 'token'
}

function identifier(name: string, value: unknown): Record<string, string> {
  return typeof value === 'string' && isGuid(value) ? { [name]: value } : {}
}
