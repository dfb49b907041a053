import type { Explanation } from './explanation.ts'
import { APPLICATION_USERS, ENVIRONMENT, USERS } from './portals.ts'

/**
 * As whom a request ran: as the application user, as the person who signed in, or as a user that either of them acts
 * for. Then Dynamics does not always say whom of the two it means.
 */
export type RanAs = 'application' | 'person' | 'acting'

/** What one code means, by who ran into it. */
type Meaning = Readonly<Record<RanAs, Explanation>>

function sameForAll(explanation: Explanation): Meaning {
  return { application: explanation, person: explanation, acting: explanation }
}

const ONE_OF_TWO =
  'It is either the user that the gateway acts for, or the user that the access token belongs to. ' +
  'If `dynamics-gateway check` without --user passes, it is the former.'

/** For every privilege but that to act as others. */
export const ROLE_OF: Readonly<Record<RanAs, string>> = {
  application: `${APPLICATION_USERS} → the application user → Edit security roles`,
  person: `${USERS} → the person → Manage security roles`,
  acting: `${APPLICATION_USERS}, and ${USERS}`,
}

/** The one whose token it is may not act as others. */
export const MAY_NOT_IMPERSONATE: Meaning = {
  application: {
    what: 'the application user may not act as other users.',
    why: 'It lacks the privilege prvActOnBehalfOfAnotherUser; a role that comes through a team does not count for it.',
    todo: `In ${ROLE_OF.application}, assign the role Delegate directly. Or set IMPERSONATION=off.`,
  },
  person: {
    what: 'the person who signed in may not act as other users.',
    why: 'They lack the privilege prvActOnBehalfOfAnotherUser; a role that comes through a team does not count for it.',
    todo:
      `Set IMPERSONATION=off, the default of CREDENTIAL=delegated; or in ${ROLE_OF.person}, assign the role ` +
      'Delegate directly.',
  },
  get acting() {
    return this.application
  },
}

/**
 * What Dataverse's codes mean. Only those whose meaning does not depend on what was asked for.
 *
 * @see https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes
 */
export const BY_CODE: Readonly<Record<string, Meaning>> = {
  '0x80072560': {
    application: {
      what: 'the app registration has no application user in this environment.',
      why: 'An app registration alone has no rights in Dynamics: each environment needs an application user of it.',
      todo:
        `In ${APPLICATION_USERS} → New app user → Add an app, choose the app registration by its client id, ` +
        'a business unit and security roles.',
    },
    person: {
      what: 'the person who signed in is not a user of this environment.',
      why: 'They were not added to it, were removed, or are outside the security group of the environment.',
      todo: `In ${USERS} → Add user, add the person, or run \`dynamics-gateway login\` as somebody who is a user there.`,
    },
    acting: {
      what: 'a user is not a member of this environment.',
      why: ONE_OF_TWO,
      todo: `Look for the user in ${USERS}, and for the application user in Application users beside it.`,
    },
  },
  '0x80042f09': {
    application: {
      what: 'the user has no security role.',
      why: 'An application user has no rights until a role is assigned.',
      todo: `In ${ROLE_OF.application}, assign the roles that your apps need.`,
    },
    person: {
      what: 'the person who signed in has no security role.',
      why: 'A person has no rights until a role is assigned, directly or through a team.',
      todo: `In ${ROLE_OF.person}, assign the roles that the person needs.`,
    },
    acting: {
      what: 'a user has no security role.',
      why: ONE_OF_TWO,
      todo: `Assign a role to the one that lacks it: ${ROLE_OF.acting}.`,
    },
  },
  '0x80040225': {
    application: {
      what: 'the application user is disabled.',
      why: 'It was deactivated.',
      todo: `In ${APPLICATION_USERS} → the application user, choose Activate.`,
    },
    person: {
      what: 'the person who signed in is disabled in this environment.',
      why: 'A licence that is removed, or leaving the security group of the environment, disables a person.',
      todo: `Look at the person's status in ${USERS}, and restore the licence or the membership.`,
    },
    acting: {
      what: 'a user is disabled.',
      why: ONE_OF_TWO,
      todo: `Activate the application user in ${APPLICATION_USERS}, or restore the licence of the person in ${USERS}.`,
    },
  },
  '0x8004d24b': sameForAll({
    what: 'the user has no licence.',
    why: 'A person needs a licence of Dynamics 365 or Power Apps; application users need none.',
    todo: 'Assign a licence in the Microsoft 365 admin centre → Users → Active users → the user → Licences and apps.',
  }),
  '0x8004a110': MAY_NOT_IMPERSONATE,
  '0x8004a104': sameForAll({
    what: 'the environment is disabled.',
    why: 'It is in administration mode, was switched off, or its subscription ended.',
    todo: `Look at its state in ${ENVIRONMENT}.`,
  }),
  '0x80048306': {
    application: {
      what: 'access to this row is denied.',
      why: 'The row belongs to others, and no role of the application user reaches that far.',
      todo: `Widen the access level of a role in ${ROLE_OF.application}.`,
    },
    person: {
      what: 'access to this row is denied.',
      why: 'The row belongs to others, and no role of the person who signed in reaches that far.',
      todo: `Widen the access level of a role in ${ROLE_OF.person}, or let the owner share the row.`,
    },
    acting: {
      what: 'access to this row is denied.',
      why: 'The row belongs to others, and no role reaches that far. Under impersonation both users need access.',
      todo: `Widen the access level of a role of the one that lacks access: ${ROLE_OF.acting}.`,
    },
  },
  '0x80072322': limit('too many requests were made in the last five minutes.'),
  '0x80072321': limit('requests took too much time together in the last five minutes.'),
  '0x80072326': limit('too many requests ran at the same time.'),
}

function limit(what: string): Meaning {
  const why = 'Dynamics limits each user (service protection). Another program may use the same one.'
  const own = {
    what,
    why,
    todo: 'Wait a few minutes; give each application a registration and an application user of its own.',
  }
  return {
    application: own,
    person: { what, why, todo: 'Wait a few minutes; other programs may run as the person who signed in.' },
    acting: own,
  }
}
