import type { Explanation } from './explanation.ts'

/** What is known of an answer of Dynamics 365 that is an error. */
export interface DynamicsError {
  readonly status: number
  /** `0x80040220`, as `error.code` holds it. */
  readonly code?: string | undefined
  /** Microsoft's own sentence; only the name of a privilege and the mark of the IP firewall are read from it. */
  readonly message?: string | undefined
  /** Whether the request ran as a user: then either of two users may lack what it takes. */
  readonly impersonated?: boolean
}

const ADMIN =
  'Power Platform admin centre (admin.powerplatform.microsoft.com) → Manage → Environments → the environment'
const APPLICATION_USERS = `${ADMIN} → Settings → Users + permissions → Application users`
const USERS = `${ADMIN} → Settings → Users + permissions → Users`

/**
 * What an error of Dataverse means for the one who sets the gateway up.
 *
 * @see https://learn.microsoft.com/power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors
 */
export function explainDynamics({ status, code, message = '', impersonated = false }: DynamicsError): Explanation {
  const answered = `Dynamics answered ${status}${code === undefined ? '' : ` (${code})`}`
  const privilege = /\bprv[A-Z]\w{2,80}/.exec(message)?.[0]
  const known = code === undefined ? undefined : BY_CODE[code.toLowerCase()]
  if (privilege === 'prvActOnBehalfOfAnotherUser') {
    return { ...MAY_NOT_IMPERSONATE, what: `${answered}: the application user may not act as other users.` }
  }
  if (privilege !== undefined) return missingPrivilege(answered, privilege, impersonated)
  if (known !== undefined) return { ...known, what: `${answered}: ${known.what}` }
  if (/access to your IP is blocked/i.test(message)) {
    return {
      what: `${answered}: the environment's IP firewall blocks this machine's address.`,
      why: 'The firewall lets in listed addresses only.',
      todo: `Add the address that this machine appears with at ${ADMIN} → Settings → Product → Privacy + Security → `
        + 'IP firewall, or allow all application users there.',
    }
  }
  switch (status) {
    case 401: return {
      what: `${answered}: it does not accept the access token.`,
      why: 'The token is for another environment or tenant, or was revoked.',
      todo: 'Compare DYNAMICS_URL (and DYNAMICS_SCOPE, if set) with the Environment URL, '
        + 'and AZURE_TENANT_ID with the environment\'s tenant.',
    }
    case 403: return missingPrivilege(answered, undefined, impersonated)
    case 404: return {
      what: `${answered}: there is no Web API at this address.`,
      why: 'DYNAMICS_URL holds a wrong path or names something else than an environment.',
      todo: `Copy the Environment URL from ${ADMIN} into DYNAMICS_URL, without a path.`,
    }
    case 429: return {
      what: `${answered}: the service protection limits hold.`,
      why: 'The application user made too many requests in the last five minutes, perhaps through another program.',
      todo: 'Wait a few minutes; give each application a registration and an application user of its own.',
    }
  }
  return status >= 500
    ? {
      what: `${answered}.`,
      why: 'The environment is unwell, is being updated, or is in administration mode.',
      todo: `Look at its state at ${ADMIN}, and try again later.`,
    }
    : { what: `${answered}.`, why: 'It refuses the request.', todo: 'Compare DYNAMICS_URL with the Environment URL.' }
}

/** Code and sentence of an error, in a body as Dynamics writes it. */
export function errorIn(body: unknown): Pick<DynamicsError, 'code' | 'message'> {
  const { error } = (body ?? {}) as { error?: unknown }
  const { code, message } = (error ?? {}) as { code?: unknown, message?: unknown }
  return {
    ...(typeof code === 'string' && /^0x[0-9a-f]{8}$/i.test(code) ? { code } : {}),
    ...(typeof message === 'string' ? { message } : {}),
  }
}

const MAY_NOT_IMPERSONATE: Explanation = {
  what: 'the application user may not act as other users.',
  why: 'It lacks the privilege prvActOnBehalfOfAnotherUser; a role that comes through a team does not count for it.',
  todo: `At ${APPLICATION_USERS} → the application user → Edit security roles assign the role Delegate directly. `
    + 'Or set IMPERSONATION=off.',
}

const NO_APPLICATION_USER: Explanation = {
  what: 'the app registration has no application user in this environment.',
  why: 'An app registration alone has no rights in Dynamics: each environment needs an application user of it.',
  todo: `At ${APPLICATION_USERS} → New app user → Add an app choose the app registration by its client id, `
    + 'a business unit and security roles.',
}

const BY_CODE: Readonly<Record<string, Explanation>> = {
  '0x80072560': NO_APPLICATION_USER,
  '0x80042f09': {
    what: 'the user has no security role.',
    why: 'An application user has no rights until a role is assigned.',
    todo: `At ${APPLICATION_USERS} → the application user → Edit security roles assign the roles that your apps need.`,
  },
  '0x80040225': {
    what: 'the user is disabled.',
    why: 'The application user was deactivated, or a person\'s licence was removed.',
    todo: `At ${APPLICATION_USERS} → the application user choose Activate; for a person give the licence back.`,
  },
  '0x8004d24b': {
    what: 'the user has no licence.',
    why: 'A person needs a licence of Dynamics 365 or Power Apps; application users need none.',
    todo: 'Assign a licence at Microsoft 365 admin centre → Users → Active users → the user → Licences and apps.',
  },
  '0x8004a110': MAY_NOT_IMPERSONATE,
  '0x8004a104': {
    what: 'the environment is disabled.',
    why: 'It is in administration mode, was switched off, or its subscription ended.',
    todo: `Look at its state at ${ADMIN}.`,
  },
  '0x80048306': {
    what: 'access to this row is denied.',
    why: 'The row belongs to others, and no role reaches that far. Under impersonation both users need access.',
    todo: `Widen the access level of a role: of the application user at ${APPLICATION_USERS}, `
      + `and of the user acted for at ${USERS}.`,
  },
}

/** The text of Dynamics names one user, also where it is the other that lacks the privilege. */
function missingPrivilege(answered: string, privilege = 'a privilege', impersonated: boolean): Explanation {
  const what = `${answered}: ${privilege === 'a privilege' ? privilege : `the privilege ${privilege}`} is missing.`
  return impersonated
    ? {
      what,
      why: 'When the gateway acts as a user, both need the privilege: the application user and the user acted for. '
        + 'Dynamics names the latter even when the former lacks it.',
      todo: `Assign a role with the privilege to whichever of the two lacks it: ${APPLICATION_USERS}, and ${USERS}.`,
    }
    : {
      what, why: 'No security role of the application user holds it.',
      todo: `At ${APPLICATION_USERS} → the application user → Edit security roles assign a role that holds it`
        + `${privilege === 'prvReadUser' ? ' for the whole organisation (to find users by e-mail address)' : ''}.`,
    }
}

/** The explanation where the application user lacks the privilege to act as others, before any request shows it. */
export const actOnBehalfMissing: Explanation = {
  ...MAY_NOT_IMPERSONATE, what: 'The application user may not act as other users.',
}
