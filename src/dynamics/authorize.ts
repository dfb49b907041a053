import type { AccessTokens } from '../credentials/credential.ts'
import { TokenRefused } from '../errors.ts'
import { inOneLine } from '../explanations/explanation.ts'
import { explainForeign } from '../explanations/foreign-responses.ts'
import { OwnError } from '../logging/own-error.ts'
import { parseJson } from '../odata/parse-json.ts'
import { unlessCancelled } from './cancellation.ts'
import type { Stage } from './chain.ts'
import type { OnEvent } from './events.ts'
import { requestIds } from './request-record.ts'
import { header } from './send.ts'
import type { UpstreamResponse, OutboundRequest, Send } from './send.ts'

/**
 * Sends with an access token of the request's own source, or of `credential`. When Dynamics 365 responds with 401, the
 * token was revoked before it expired (nothing was executed), and the request is retried with a new one, if its body is
 * still available. The caller never sees a 401 that is not about the caller.
 *
 * @throws TokenRefused when the new token is refused as well, UserClaimsRequired when Dynamics asks more of the person
 */
export function authorize(next: Send, credential: AccessTokens, onEvent: OnEvent): Stage {
  return {
    enter(request) {
      const authorization = (request.tokens ?? credential).authorization()
      if (typeof authorization !== 'string') return sendWithToken(request, authorization)
      request.authorization = authorization
      return undefined
    },
    answered,
  }

  async function sendWithToken(request: OutboundRequest, token: Promise<string>): Promise<UpstreamResponse> {
    request.authorization = await tokenFor(request, token)
    return answered(await next(request), request)
  }

  function answered(
    response: UpstreamResponse,
    request: OutboundRequest,
  ): UpstreamResponse | Promise<UpstreamResponse> {
    return response.status === 401 ? again(request, response) : response
  }

  async function again(request: OutboundRequest, refusal: UpstreamResponse): Promise<UpstreamResponse> {
    const challenge = header(refusal, 'www-authenticate') ?? ''
    const why = refusalOf(refusal, challenge)
    refusal.body.dump()
    const tokens = request.tokens ?? credential
    tokens.discard(request.authorization!, claimsRequestOf(challenge))
    const repeatable = request.body === undefined || Buffer.isBuffer(request.body)
    onEvent({ kind: 'token-refused', repeated: repeatable, ...requestIds(request.record) })
    if (!repeatable) throw new TokenRefused({ cause: why })

    request.record.willResend('token-refused')
    const renewed = await tokenFor(request, tokens.authorization())
    request.authorization = renewed
    const response = await next(request)
    if (response.status !== 401) return response
    const challenged = header(response, 'www-authenticate') ?? ''
    const still = refusalOf(response, challenged)
    response.body.dump()
    // A claims challenge that only the person can meet goes to the caller, also after the retry.
    if (request.tokens !== undefined) tokens.discard(renewed, claimsRequestOf(challenged))
    throw new TokenRefused({ cause: still })
  }
}

/** Waits for the token, no longer than the caller does, and records the time. */
async function tokenFor(
  { cancellation, timings, record }: OutboundRequest,
  authorization: string | Promise<string>,
): Promise<string> {
  if (typeof authorization === 'string') return authorization
  const began = performance.now()
  try {
    return await unlessCancelled(cancellation, authorization)
  } finally {
    const ms = performance.now() - began
    timings.token += ms
    record.waited('token', began, ms)
  }
}

/**
 * The claims request of a claims challenge, as JSON text; `undefined` for other challenges.
 *
 * @see https://learn.microsoft.com/entra/identity-platform/claims-challenge
 */
export function claimsRequestOf(challenge: string): string | undefined {
  if (!/\berror="?insufficient_claims\b/i.test(challenge)) return undefined
  const encoded = /\bclaims="?([A-Za-z0-9+/_=-]+)/.exec(challenge)?.[1]
  if (encoded === undefined) return undefined
  const claims = Buffer.from(encoded, 'base64').toString()
  return parseJson(claims) === undefined ? undefined : claims
}

/** For the log: the code of the refusal, without the addresses next to it. */
function refusalOf(refusal: UpstreamResponse, challenge: string): Error {
  const foreign = explainForeign({ status: refusal.status, contentType: header(refusal, 'content-type'), challenge })
  if (foreign !== undefined) return new OwnError(inOneLine(foreign))
  const code = /\berror="?([a-z_]{1,40})/i.exec(challenge)?.[1]
  return new OwnError(`Dynamics 365 answered 401${code === undefined ? '' : `, ${code}`}`)
}
