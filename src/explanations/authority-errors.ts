import { AADSTS } from './aadsts.ts'
import type { Explanation } from './explanation.ts'
import { isPage } from './foreign-responses.ts'

/** What is known of a failed attempt to get a token. Holds nothing secret, and no text of the authority. */
export interface FailureFacts {
  /** `metadata`, `token`: what was asked for. */
  readonly asked?: string
  readonly host?: string
  /** HTTP status; `undefined`: no response came. */
  readonly status?: number
  /** Media type of a response that is not JSON. */
  readonly contentType?: string
  /** OAuth error code, such as `invalid_client`. */
  readonly error?: string
  /** Number of Microsoft's error: 7000215 of AADSTS7000215. */
  readonly aadsts?: number
  /** Of the connection: `ECONNREFUSED`, `CERT_HAS_EXPIRED` … */
  readonly code?: string
  /** Milliseconds that the authority asks to wait. */
  readonly retryAfter?: number
  /** For Microsoft's support. */
  readonly correlationId?: string
  readonly traceId?: string
}

/** What an authority's response means. Its own texts are never shown: they may echo what was sent. */
export function explainAuthorityResponse(facts: FailureFacts): Explanation {
  const { aadsts, status, error, contentType, host = 'The authority' } = facts
  if (aadsts !== undefined) {
    const known = AADSTS[aadsts]
    if (known !== undefined) return { ...known, what: `${known.what.slice(0, -1)} (AADSTS${aadsts}).` }
    return {
      what: `Entra refused (AADSTS${aadsts}${error === undefined ? '' : `, ${error}`}).`,
      why: 'The gateway has no explanation of this number.',
      todo: `Look the number up at https://login.microsoftonline.com/error?code=${aadsts}.`,
    }
  }
  const answered = `${host} answered ${status}${error === undefined ? '' : ` (${error})`}`
  if (status !== undefined && status >= 300 && status < 400) {
    return {
      what: `${answered}, a redirect.`,
      why: 'An authority does not redirect token requests; a proxy that wants a sign-in does.',
      todo: 'Correct AZURE_AUTHORITY_HOST or the proxy (HTTPS_PROXY).',
    }
  }
  if (isPage(contentType)) {
    return {
      what: `${answered} with a page (${contentType}).`,
      why:
        'An authority answers with JSON. Pages come from something in between: a web filter, a proxy or a load ' +
        'balancer.',
      todo: `Check AZURE_AUTHORITY_HOST and the proxy (HTTPS_PROXY), and let them pass ${host}.`,
    }
  }
  if (status === 429) {
    return {
      what: `${answered}: it is asked too often.`,
      why: 'The authority limits requests.',
      todo: 'Nothing: the gateway retries by itself, more slowly.',
    }
  }
  if (error !== undefined && status !== undefined && status < 500) return explainOAuthError(error, answered)
  if (facts.asked === 'metadata' && status !== undefined && status < 500) {
    return {
      what: `${answered} when asked for the authority's metadata.`,
      why: 'There is no authority at this address, or it does not know the tenant.',
      todo: 'Check AZURE_AUTHORITY_HOST and AZURE_TENANT_ID.',
    }
  }
  return {
    what: `${answered}${error === undefined ? ', with no answer that an authority would give' : ''}.`,
    why: 'The response does not say why.',
    todo:
      'Nothing, if it passes: the gateway retries by itself. Else check AZURE_AUTHORITY_HOST and ' +
      'the proxy (HTTPS_PROXY).',
  }
}

/**
 * Authorities that are not Microsoft's, and managed identities, return only OAuth error codes.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-5.2
 */
function explainOAuthError(error: string, answered: string): Explanation {
  switch (error) {
    case 'invalid_client':
      return {
        what: `${answered}: it does not accept the client id with this credential.`,
        why: 'The client id is unknown there, or the secret or certificate is not the registered one.',
        todo: 'Compare AZURE_CLIENT_ID, and the secret or certificate, with the app registration.',
      }
    case 'unauthorized_client':
      return {
        what: `${answered}: this client may not ask for a token in this way.`,
        why: 'The client id is unknown there, or its registration does not allow this kind of credential.',
        todo: 'Compare AZURE_CLIENT_ID with the app registration, and see which grants it allows.',
      }
    case 'invalid_scope':
    case 'invalid_resource':
    case 'invalid_target':
      return { ...AADSTS[70011]!, what: `${answered}: it does not accept the scope.` }
    case 'invalid_grant':
      return {
        what: `${answered}: what the token was asked for with is not valid.`,
        why: "A person's sign-in has ended or was revoked; or an assertion is not accepted.",
        todo:
          'For CREDENTIAL=delegated run `dynamics-gateway login` again; ' +
          "else compare the certificate or the platform's token with the app registration.",
      }
    case 'interaction_required':
    case 'login_required':
      return {
        what: `${answered}: a person has to sign in.`,
        why: 'The authority does not give this token without the person.',
        todo: 'Run `dynamics-gateway login` again.',
      }
    case 'consent_required':
      return { ...AADSTS[65001]!, what: `${answered}: somebody has to consent.` }
    default:
      return {
        what: `${answered}.`,
        why: 'The gateway has no explanation of this code.',
        todo: 'Compare tenant, client id, credential and scope with the app registration.',
      }
  }
}
