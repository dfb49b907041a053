import type { Explanation } from './explanation.ts'

// Where things are in Microsoft's portals.
const ENTRA = 'Entra admin centre (entra.microsoft.com)'
const REGISTRATION = `${ENTRA} → App registrations → All applications → the app`
const ENTERPRISE_APP = `${ENTRA} → Enterprise applications → All applications → the app`

const wrongTenantOrCloud: Explanation = {
  what: 'Entra does not know the tenant.',
  why: 'AZURE_TENANT_ID is mistyped, the tenant was deleted, or it lives in another cloud (GCC High, DoD, '
    + 'China) than the authority that was asked.',
  todo: `Copy the Directory (tenant) ID from ${REGISTRATION} → Overview into AZURE_TENANT_ID; `
    + 'for a national cloud check AZURE_AUTHORITY_HOST.',
}

const noTenant: Explanation = {
  what: 'Entra was not told a tenant that it can use.',
  why: 'AZURE_TENANT_ID is empty, or is common, organizations or consumers, which only people can sign in through.',
  todo: `Set AZURE_TENANT_ID to the Directory (tenant) ID of ${REGISTRATION} → Overview.`,
}

const unknownApp: Explanation = {
  what: 'Entra finds no app registration with this client id in this tenant.',
  why: 'AZURE_CLIENT_ID or AZURE_TENANT_ID is of another app or tenant (an object id or a secret id is no client id), '
    + 'or the app belongs to another tenant whose administrator has not consented yet.',
  todo: `Compare AZURE_CLIENT_ID and AZURE_TENANT_ID with ${REGISTRATION} → Overview. `
    + 'For an app of another tenant let an administrator open the address that `dynamics-gateway consent` prints.',
}

const unknownResource: Explanation = {
  what: 'Entra does not know the environment that the token is for.',
  why: 'DYNAMICS_URL is mistyped or of another region, the environment was renamed or deleted, '
    + 'or it belongs to another tenant than AZURE_TENANT_ID.',
  todo: 'Copy the Environment URL from Power Platform admin centre (admin.powerplatform.microsoft.com) → Manage → '
    + 'Environments → the environment into DYNAMICS_URL, and check that AZURE_TENANT_ID is the tenant of that '
    + 'environment.',
}

const badScope: Explanation = {
  what: 'Entra does not accept the scope of the token.',
  why: 'An app\'s own token is for exactly one resource, and its scope ends in /.default.',
  todo: 'Remove DYNAMICS_SCOPE, so that the gateway takes the environment\'s own, '
    + 'or write https://<environment>/.default.',
}

const badAssertion: Explanation = {
  what: 'Entra does not accept the signed assertion of the credential.',
  why: 'The certificate is not the one that is registered, or what signed the assertion is not trusted for this app.',
  todo: `Upload the certificate (its public part) at ${REGISTRATION} → Certificates & secrets → Certificates, `
    + 'and compare its thumbprint there with the one that `check` and the gateway\'s log name.',
}

const federation: Explanation = {
  what: 'No federated credential of the app matches the platform\'s token.',
  why: 'Issuer, subject or audience of the token differ from what is registered; they are compared letter by letter.',
  todo: `Compare them at ${REGISTRATION} → Certificates & secrets → Federated credentials: `
    + 'for Kubernetes the cluster\'s issuer URL, '
    + 'system:serviceaccount:<namespace>:<service account>, and api://AzureADTokenExchange.',
}

const clock: Explanation = {
  what: 'The assertion of the credential is not valid at this time.',
  why: 'The clock of this machine is wrong by more than a few minutes, '
    + 'or the platform\'s token file holds an old token.',
  todo: 'Set the clock of this machine right (time synchronisation, for example chrony), '
    + 'and see that the platform renews the token file.',
}

const consent: Explanation = {
  what: 'The app lacks a permission that somebody has to consent to.',
  why: 'Nobody has consented yet, or the permission is not listed in the app registration. '
    + 'An app\'s own token for Dataverse needs no consent; a person\'s does.',
  todo: `At ${REGISTRATION} → API permissions add Dynamics CRM → user_impersonation (delegated), `
    + 'then choose Grant admin consent; or open the address that `dynamics-gateway consent` prints.',
}

const conditionalAccess: Explanation = {
  what: 'A Conditional Access policy of the tenant blocks the sign-in.',
  why: 'A policy for workload identities or people does not allow this app, this place or this address.',
  todo: `Ask an administrator to look at ${ENTRA} → Protection → Conditional Access → Policies, `
    + 'and to exclude the app or allow the address that the gateway comes from.',
}

const securityPolicy: Explanation = {
  ...conditionalAccess,
  what: 'A security policy of the tenant blocks the sign-in.',
  why: 'Security defaults or a policy of the organisation asks for more than this sign-in brings.',
}

const personSignsIn: Explanation = {
  what: 'Entra wants the person to sign in again.',
  why: 'A second factor is due, the password was changed or has expired, or the account was disabled.',
  todo: 'Run `dynamics-gateway login` again.',
}

const wrongPerson: Explanation = {
  what: 'Entra does not accept the person\'s account.',
  why: 'The account does not exist in this tenant, is disabled, or its password is wrong or has expired.',
  todo: 'Run `dynamics-gateway login` again with an account of the tenant AZURE_TENANT_ID.',
}

const signInExpired: Explanation = {
  what: 'The sign-in that is kept here is no longer valid.',
  why: 'It was not used for long, was revoked, or the password was changed.',
  todo: 'Run `dynamics-gateway login` again.',
}

const assignment: Explanation = {
  what: 'Only those who are assigned to the application may use it, and this app or person is not.',
  why: 'The application has Assignment required switched on.',
  todo: `At ${ENTERPRISE_APP} → Users and groups assign it, or set Properties → Assignment required to No.`,
}

const disabledApp: Explanation = {
  what: 'The app is disabled in the tenant.',
  why: 'An administrator has switched sign-in off for it.',
  todo: `Set ${ENTERPRISE_APP} → Properties → Enabled for users to sign in to Yes.`,
}

const malformed: Explanation = {
  what: 'Entra says that the request is not complete.',
  why: 'Something between the gateway and Entra changes requests, or AZURE_AUTHORITY_HOST is not a v2.0 authority.',
  todo: 'Check AZURE_AUTHORITY_HOST, and whether a proxy (HTTPS_PROXY) rewrites requests to Entra.',
}

const otherCloud: Explanation = {
  what: 'The tenant or the app lives in another national cloud.',
  why: 'Registrations and credentials hold in one cloud only.',
  todo: 'Set AZURE_AUTHORITY_HOST to the authority of the tenant\'s cloud (https://login.microsoftonline.us, '
    + 'https://login.partner.microsoftonline.cn), and use an app registration of that cloud.',
}

const passing: Explanation = {
  what: 'Entra has a problem of its own at the moment.',
  why: 'The error is one that Microsoft calls transient.',
  todo: 'Nothing: the gateway asks again by itself. If it lasts, look at status.cloud.microsoft.',
}

/**
 * What Microsoft Entra's errors mean, by the number after AADSTS.
 *
 * @see https://learn.microsoft.com/entra/identity-platform/reference-error-codes
 */
export const AADSTS: Readonly<Record<number, Explanation>> = {
  7000215: {
    what: 'The client secret is wrong.',
    why: 'Often the secret\'s ID was copied instead of its Value, or the secret is of another app, or was deleted.',
    todo: `Make a new secret at ${REGISTRATION} → Certificates & secrets → Client secrets, `
      + 'copy its Value (shown only once), and put it into AZURE_CLIENT_SECRET.',
  },
  7000222: {
    what: 'The client secret has expired.',
    why: 'Client secrets end on a date; this one\'s is over.',
    todo: `Make a new secret at ${REGISTRATION} → Certificates & secrets → Client secrets, `
      + 'and put its Value into AZURE_CLIENT_SECRET.',
  },
  700016: unknownApp,
  700011: unknownApp,
  70001: unknownApp,
  7000112: disabledApp,
  90002: wrongTenantOrCloud,
  900021: wrongTenantOrCloud,
  900023: wrongTenantOrCloud,
  90019: noTenant,
  50059: noTenant,
  50128: wrongTenantOrCloud,
  50194: {
    what: 'The app belongs to one tenant, but was asked for through /common.',
    why: 'AZURE_TENANT_ID names no tenant.',
    todo: noTenant.todo,
  },
  9001023: noTenant,
  500011: unknownResource,
  50001: unknownResource,
  70011: badScope,
  1002012: badScope,
  28002: badScope,
  700022: badScope,
  901002: badScope,
  900144: malformed,
  7000218: {
    what: 'Entra asks for a client secret or certificate, and none was sent.',
    why: 'The registration is a confidential client; a person\'s sign-in without a secret needs a public one.',
    todo: `Set AZURE_CLIENT_SECRET; or for \`login\` set ${REGISTRATION} → Authentication → Allow public client flows `
      + 'to Yes, with http://localhost as redirect URI of Mobile and desktop applications.',
  },
  700025: {
    what: 'The app is a public client, so Entra takes neither secret nor certificate from it.',
    why: 'Allow public client flows is set, or the redirect URI is one of Mobile and desktop applications.',
    todo: `Set ${REGISTRATION} → Authentication → Allow public client flows to No, `
      + 'or for CREDENTIAL=delegated remove AZURE_CLIENT_SECRET.',
  },
  700027: {
    ...badAssertion,
    what: 'Entra does not know the certificate, or it has expired.',
    why: 'The certificate was not uploaded to this app, was replaced there, has ended, '
      + 'or the clock of this machine is wrong.',
  },
  700023: malformed,
  700021: unknownApp,
  700024: clock,
  700030: badAssertion,
  50012: badAssertion,
  50027: badAssertion,
  50013: badAssertion,
  700213: federation,
  700212: federation,
  700211: federation,
  70021: federation,
  65001: consent,
  65004: {
    ...consent, what: 'The person or administrator declined to consent.', why: 'Cancel was chosen on the consent page.',
  },
  650057: consent,
  650052: {
    what: 'The tenant has no subscription for the service.',
    why: 'Dynamics 365 or Power Platform was never activated in this tenant, or AZURE_TENANT_ID is the wrong one.',
    todo: 'Check that AZURE_TENANT_ID is the tenant of the environment; '
      + 'else activate the service (Microsoft 365 admin centre → Billing → Licences).',
  },
  650056: { ...consent, what: 'The app registration is not set up for this permission.' },
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
  50105: assignment,
  501051: assignment,
  50011: {
    what: 'The redirect address is not registered.',
    why: 'Entra sends people back only to addresses that the app registration lists.',
    todo: `At ${REGISTRATION} → Authentication → Add a platform → Mobile and desktop `
      + 'applications add http://localhost.',
  },
  700229: {
    what: 'The platform\'s token is of a kind that Entra does not take here.',
    why: 'Only tokens of apps, not of people, may stand for this app.',
    todo: `Use a client secret or certificate, or mend ${REGISTRATION} → Certificates & secrets `
      + '→ Federated credentials.',
  },
  50196: {
    what: 'Entra was asked for tokens far too often.',
    why: 'Many gateways start again and again, or something else uses this app registration in a loop.',
    todo: 'Wait a few minutes; see that no gateway restarts in a loop, '
      + 'and give each application a registration of its own.',
  },
  90055: {
    what: 'Entra limits how often this tenant may ask.',
    why: 'There are too many requests from the tenant at the moment.',
    todo: 'Nothing: the gateway asks again by itself, more slowly.',
  },
  90006: passing,
  90024: passing,
  90033: passing,
  50033: passing,
  90038: otherCloud,
  900382: otherCloud,
  900432: otherCloud,
}
