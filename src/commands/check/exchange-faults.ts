import { asAuthorityFailure, ClaimsDemanded } from '../../credentials/failure.ts'
import { quotation } from '../../explanations/explanation.ts'
import type { Explanation } from '../../explanations/explanation.ts'
import { ENTERPRISE_APP, PERSON } from '../../explanations/portals.ts'

/** Values that the fix of a failed exchange may name. */
export interface ExchangeContext {
  /** The scope that the app must request. */
  readonly scope: string
  /** The URL at which an administrator consents to user_impersonation. */
  readonly consentUrl: string
}

/**
 * Explains, for `check`, why the token of a person was not exchanged.
 *
 * @param error the error of the exchange
 */
export function explainExchange(error: Error, { scope, consentUrl }: ExchangeContext): Explanation {
  const cause = asAuthorityFailure(error.cause)
  const { aadsts, error: code } = cause.facts
  const number = aadsts === undefined ? code : `AADSTS${aadsts}`
  const fix = FIXES[String((error as Error & { code?: string }).code)]
  if (fix === undefined) return cause.explanation
  const says = cause instanceof ClaimsDemanded ? quotation(cause.claims) : undefined
  return {
    what: `Entra did not exchange the token for a token for Dynamics (${number}).`,
    why: fix.why,
    todo: fix.todo.replace('{scope}', scope).replace('{consent}', consentUrl),
    ...(says === undefined ? {} : { says }),
  }
}

/** By the code that a caller of the gateway gets. */
const FIXES: Readonly<Record<string, { readonly why: string; readonly todo: string }>> = {
  GATEWAY_USER_CONSENT_MISSING: {
    why: "Nobody has granted the gateway's app consent to use Dynamics for this person.",
    todo: 'Ask an administrator of the tenant to open {consent}.',
  },
  GATEWAY_USER_TOKEN_FOR_ANOTHER_APP: {
    why: "The token is not for the app registration of the target's credential, or it was changed.",
    todo: 'Let the app request the scope {scope}. The clientId of the credential must be that of the same registration.',
  },
  GATEWAY_USER_TOKEN_EXPIRED: {
    why: 'For Entra the token has expired, or is not valid yet.',
    todo: 'Get a new token with the scope {scope}, and write it to the file.',
  },
  GATEWAY_USER_CLAIMS_REQUIRED: {
    why: 'A Conditional Access policy requires more than this sign-in has, such as a second factor (MFA).',
    todo: 'Let the app pass these claims to its sign-in library, sign in again with them, and write the new token to the file.',
  },
  GATEWAY_USER_SIGN_IN_REQUIRED: {
    why: 'The sign-in has ended, was revoked, or has no second factor (MFA) where one is required.',
    todo: 'Sign in to the app again, and write the new token to the file.',
  },
  GATEWAY_USER_BLOCKED: {
    why: 'A Conditional Access policy does not allow this person to use Dynamics in this way.',
    todo: `Look at ${PERSON} → Sign-in logs: the failed entry names the policy.`,
  },
  GATEWAY_USER_WITHOUT_ACCESS: {
    why: 'The account is disabled, is not in the tenant of the environment, or is not assigned to the app.',
    todo: `Assign the person at ${ENTERPRISE_APP} → Users and groups. A person from another tenant must be invited as a guest first.`,
  },
  GATEWAY_USER_NOT_ALLOWED: {
    why: 'The token belongs to an application, not to a person.',
    todo: 'Sign in to the app as a person, and write the token for the scope {scope} to the file.',
  },
}
