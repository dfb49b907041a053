import type { Explanation } from './explanation.ts'
import { ENTRA, PERSON, REGISTRATION } from './portals.ts'

const conditionalAccess: Explanation = {
  what: 'A Conditional Access policy of the tenant blocks the sign-in.',
  why: 'A policy for workload identities or people does not allow this app, this place or this address.',
  todo:
    `Ask an administrator to look at ${ENTRA} → Protection → Conditional Access → Policies, ` +
    'and to exclude the app or allow the address that the gateway comes from.',
}

const securityPolicy: Explanation = {
  ...conditionalAccess,
  what: 'A security policy of the tenant blocks the sign-in.',
  why: 'Security defaults or a policy of the organisation asks for more than this sign-in proves.',
}

const personSignsIn: Explanation = {
  what: 'Entra wants the person to sign in again.',
  why: 'A second factor is due, the password was changed or has expired, or the account was disabled.',
  todo: 'Run `dynamics-gateway login` again.',
}

const wrongPerson: Explanation = {
  what: "Entra does not accept the person's account.",
  why: 'The account does not exist in this tenant, is disabled, or its password is wrong or has expired.',
  todo: 'Run `dynamics-gateway login` again with an account of the tenant AZURE_TENANT_ID.',
}

const signInExpired: Explanation = {
  what: 'The stored sign-in is no longer valid.',
  why: 'It was not used for long, was revoked, or the password was changed.',
  todo: 'Run `dynamics-gateway login` again.',
}

const device: Explanation = {
  ...conditionalAccess,
  what: 'A Conditional Access policy of the tenant lets only managed devices sign in.',
  why: 'The device is not known to Entra, or does not comply. A gateway is not a device that can be enrolled.',
}

const wrongPassword: Explanation = {
  what: 'The person has to change the password.',
  why: 'It has expired, was reset, or is known to be compromised.',
  todo: 'Change it at https://mysignins.microsoft.com, then run `dynamics-gateway login` again.',
}

/** Numbers about a person who signs in, and about policies for sign-ins. */
export const PEOPLE: Readonly<Record<number, Explanation>> = {
  53003: conditionalAccess,
  530032: securityPolicy,
  530034: securityPolicy,
  530035: securityPolicy,
  50034: wrongPerson,
  50076: personSignsIn,
  50079: personSignsIn,
  50158: personSignsIn,
  50055: wrongPerson,
  50056: wrongPerson,
  50057: wrongPerson,
  50126: wrongPerson,
  70008: signInExpired,
  700082: signInExpired,
  700084: signInExpired,
  50173: signInExpired,
  50078: personSignsIn,
  50011: {
    what: 'The redirect address is not registered.',
    why: 'Entra sends people back only to addresses that the app registration lists.',
    todo:
      `In ${REGISTRATION} → Authentication → Add a platform → Mobile and desktop ` +
      'applications, add http://localhost.',
  },
  530031: securityPolicy,
  530033: securityPolicy,
  53000: device,
  53001: device,
  530003: device,
  50097: device,
  50129: device,
  50187: device,
  53002: {
    ...conditionalAccess,
    what: 'A Conditional Access policy of the tenant lets only approved apps sign in.',
    why: 'The gateway is not one of the apps that the policy names.',
  },
  530021: {
    ...conditionalAccess,
    what: 'A Conditional Access policy of the tenant lets only approved apps sign in.',
    why: 'The gateway is not one of the apps that the policy names.',
  },
  53004: {
    ...conditionalAccess,
    what: 'The person cannot register a second factor, because the sign-in looks risky.',
    why: 'Entra saw something suspicious, or the person is in another place than usual.',
  },
  50131: conditionalAccess,
  50020: {
    what: 'The account is not a guest of this tenant.',
    why: 'It belongs to another tenant or is a personal one, and nobody has invited it.',
    todo:
      'Run `dynamics-gateway login` with an account of the tenant AZURE_TENANT_ID, ' +
      `or invite the account in ${ENTRA} → Users → New user → Invite external user.`,
  },
  90072: {
    what: 'The account is not a guest of this tenant.',
    why: 'It belongs to another tenant, and nobody has invited it.',
    todo:
      'Run `dynamics-gateway login` with an account of the tenant AZURE_TENANT_ID, ' +
      `or invite the account in ${ENTRA} → Users → New user → Invite external user.`,
  },
  50053: {
    what: 'The account is temporarily locked.',
    why: 'There were too many sign-ins with a wrong password, or from an address that Entra has seen attacks from.',
    todo:
      'Wait an hour, then run `dynamics-gateway login` again; see who tries to sign in, in ' +
      `${PERSON} → Sign-in logs.`,
  },
  50072: {
    ...personSignsIn,
    what: 'The person has to set up a second factor.',
    why: 'The tenant asks for multi-factor authentication, and the person has not registered for it.',
  },
  50074: {
    ...personSignsIn,
    what: 'The person has to prove a second factor.',
    why: 'The tenant asks for multi-factor authentication, which this sign-in did not include.',
  },
  50144: wrongPassword,
  50142: wrongPassword,
  50133: wrongPassword,
  50132: signInExpired,
  50089: signInExpired,
  70000: signInExpired,
  70043: signInExpired,
  70044: signInExpired,
  54005: signInExpired,
  500113: {
    what: 'The app registration has no redirect address.',
    why: 'Entra sends people back only to addresses that the app registration lists, and it lists none.',
    todo:
      `In ${REGISTRATION} → Authentication → Add a platform → Mobile and desktop ` +
      'applications, add http://localhost.',
  },
}
