import { BY_CODE, MAY_NOT_IMPERSONATE, ROLE_OF } from './dynamics-codes.ts'
import type { RanAs } from './dynamics-codes.ts'
import { quotation } from './explanation.ts'
import type { Explanation } from './explanation.ts'
import { explainForeign } from './foreign-responses.ts'
import type { ResponseEvidence } from './foreign-responses.ts'
import { ENVIRONMENT } from './portals.ts'
import { OF_REQUESTS } from './request-codes.ts'

/** What is known of a response of Dynamics 365 that is an error. */
export interface DynamicsError extends ResponseEvidence {
  /** As `error.code` holds it: `0x80040220` of Dataverse, `BadRequest_NotFound` of Business Central. */
  readonly code?: string | undefined
  /** Microsoft's own sentence. It is quoted; read from it are a privilege, the IP firewall and access control. */
  readonly message?: string | undefined
  /** Whether the request ran as a user that the gateway acts for. */
  readonly impersonated?: boolean
  /** Whether the access token is of a person who signed in: then there is no application user. */
  readonly delegated?: boolean
}

/**
 * What an error of Dataverse means for the one who sets the gateway up, by what the response shows: who wrote it, its
 * code, and what its text names. What shows nothing is quoted and not explained.
 *
 * @see https://learn.microsoft.com/power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors
 */
export function explainDynamics(error: DynamicsError): Explanation {
  const { status, code, message, impersonated = false, delegated = false } = error
  const said = quotation(message)
  const own = code !== undefined || said !== undefined
  const foreign = own && status >= 400 ? undefined : explainForeign(error)
  if (foreign !== undefined) return foreign
  const ranAs = impersonated ? 'acting' : delegated ? 'person' : 'application'
  const answered = `Dynamics answered ${status}${code === undefined ? '' : ` (${code})`}`
  const { what, why, todo } =
    byText(message ?? '', ranAs, delegated) ??
    (code === undefined ? undefined : byCode(code, ranAs, delegated)) ??
    byStatus(error)
  return {
    what: what === '' ? `${answered}.` : `${answered}: ${what}`,
    why,
    todo,
    ...(said === undefined ? {} : { says: said }),
  }
}

/** What the text of an error names. */
function byText(message: string, ranAs: RanAs, delegated: boolean): Explanation | undefined {
  const privilege = /\bprv[A-Z]\w{2,80}/.exec(message)?.[0]
  if (privilege === 'prvActOnBehalfOfAnotherUser') return MAY_NOT_IMPERSONATE[delegated ? 'person' : 'application']
  if (privilege !== undefined) return missingPrivilege(privilege, ranAs)
  if (/access to your IP is blocked|\bIP address\b.{0,60}\b(?:blocked|not allowed|denied)\b/i.test(message)) {
    return {
      what: "the environment's IP firewall blocks the address that the gateway comes from.",
      why: 'The firewall lets in listed addresses only.',
      todo:
        `Add the address that this machine appears with at ${ENVIRONMENT} → Settings → Product → Privacy + ` +
        'Security → IP firewall, or allow all application users there.',
    }
  }
  if (/Dataverse API is restricted for this application/i.test(message)) {
    return {
      what: 'the environment does not let this app registration use its API.',
      why: 'App access control of the environment lets in listed applications only.',
      todo:
        `Add the client id to the allowed apps at ${ENVIRONMENT} → Settings → Product → Privacy + Security → ` +
        'App access control.',
    }
  }
  if (/\bdoes not have \w*Access right/i.test(message)) return BY_CODE['0x80048306']![ranAs]
  return undefined
}

function byCode(code: string, ranAs: RanAs, delegated: boolean): Explanation | undefined {
  const lower = code.toLowerCase()
  const meaning = BY_CODE[lower]
  // Only the one whose token it is needs this privilege.
  if (meaning === MAY_NOT_IMPERSONATE && delegated) return meaning.person
  return meaning?.[ranAs] ?? OF_REQUESTS[lower]
}

function byStatus({ status, code, message, challenge }: DynamicsError): Explanation {
  if (status === 401) {
    const error = /\berror="?([a-z_]{1,40})/i.exec(challenge ?? '')?.[1]
    return {
      what: `the access token is not accepted${error === undefined ? '' : ` (${error})`}.`,
      why: 'The response does not say why. The token may be for another environment or tenant, or may have been revoked.',
      todo:
        'Compare DYNAMICS_URL (and DYNAMICS_SCOPE, if set) with the Environment URL, ' +
        "and AZURE_TENANT_ID with the environment's tenant.",
    }
  }
  if (status === 429) {
    return {
      what: 'it asks to wait.',
      why: 'The response does not say which limit was reached.',
      todo: 'Wait a few minutes; give each application a registration and an application user of its own.',
    }
  }
  if (code !== undefined) {
    return {
      what: '',
      why: 'The gateway has no explanation of this code.',
      todo: /^0x/i.test(code)
        ? 'Look the code up at ' +
          'https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes.'
        : 'Look the code up in the documentation of the service.',
    }
  }
  if (status === 404 && message === undefined) {
    return {
      what: 'there is no Web API at this address.',
      why: 'The response has no error code, which the Web API writes into each of its own.',
      todo: `Copy the Environment URL from ${ENVIRONMENT} into DYNAMICS_URL, without a path.`,
    }
  }
  return {
    what: '',
    why:
      message === undefined
        ? 'The response says nothing about why.'
        : 'The gateway has no explanation of this response.',
    todo:
      status >= 500
        ? `Try again later; if it lasts, look at the environment's state at ${ENVIRONMENT}.`
        : 'Compare DYNAMICS_URL with the Environment URL, and check what is between: the proxy (HTTPS_PROXY) ' +
          'and the firewall of this network.',
  }
}

/** The text of Dynamics names one user, also where it is the other that lacks the privilege. */
function missingPrivilege(privilege: string, ranAs: RanAs): Explanation {
  const depth = privilege === 'prvReadUser' ? ' for the whole organisation (to find users by e-mail address)' : ''
  const what = `the privilege ${privilege} is missing.`
  switch (ranAs) {
    case 'application':
      return {
        what,
        why: 'No security role of the application user holds it.',
        todo: `In ${ROLE_OF.application}, assign a role that holds it${depth}.`,
      }
    case 'person':
      return {
        what,
        why: 'No security role of the person who signed in holds it.',
        todo: `In ${ROLE_OF.person}, assign a role that holds it${depth}.`,
      }
    case 'acting':
      return {
        what,
        why:
          'When the gateway acts as a user, both need the privilege: the user acted for, and the one that the access ' +
          'token belongs to. Dynamics names the former even when the latter lacks it.',
        todo: `Assign a role with the privilege to whichever of the two lacks it: ${ROLE_OF.acting}.`,
      }
  }
}

/** The explanation where the token's own user lacks the privilege to act as others, before any request shows it. */
export function actOnBehalfMissing(delegated: boolean): Explanation {
  const { what, ...rest } = MAY_NOT_IMPERSONATE[delegated ? 'person' : 'application']
  return { ...rest, what: `${what[0]!.toUpperCase()}${what.slice(1)}` }
}

/** What the head and the body of a response show of an error. `header` reads a header by its name in lower case. */
export function errorOf(
  status: number,
  header: (name: string) => string | undefined,
  body: unknown,
): ResponseEvidence & Pick<DynamicsError, 'code' | 'message'> {
  return {
    status,
    contentType: header('content-type'),
    location: header('location'),
    challenge: header('www-authenticate'),
    ...errorIn(body),
  }
}

/** Code and sentence of an error, in a body as Dynamics writes it. */
export function errorIn(body: unknown): Pick<DynamicsError, 'code' | 'message'> {
  const { error } = (body ?? {}) as { error?: unknown }
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  return {
    ...(typeof code === 'string' && /^(?:0x[0-9a-f]{8}|[A-Z]\w{1,40}_\w{1,40})$/i.test(code) ? { code } : {}),
    ...(typeof message === 'string' ? { message } : {}),
  }
}
