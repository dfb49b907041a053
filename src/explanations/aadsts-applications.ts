import type { Explanation } from './explanation.ts'
import { ENTERPRISE_APP, ENTRA, REGISTRATION } from './portals.ts'

const wrongTenantOrCloud: Explanation = {
  what: 'Entra does not know the tenant.',
  why:
    'AZURE_TENANT_ID is mistyped, the tenant was deleted, or it belongs to another cloud (GCC High, DoD, ' +
    'China) than the authority that was asked.',
  todo:
    `Copy the Directory (tenant) ID from ${REGISTRATION} → Overview into AZURE_TENANT_ID; ` +
    'for a national cloud check AZURE_AUTHORITY_HOST.',
}

const noTenant: Explanation = {
  what: 'The request names no tenant that Entra can use.',
  why: 'AZURE_TENANT_ID is empty, or is common, organizations or consumers, which only people can sign in through.',
  todo: `Set AZURE_TENANT_ID to the Directory (tenant) ID of ${REGISTRATION} → Overview.`,
}

const unknownApp: Explanation = {
  what: 'Entra finds no app registration with this client id in this tenant.',
  why:
    'AZURE_CLIENT_ID or AZURE_TENANT_ID is of another app or tenant (an object id or a secret id is not a client id), ' +
    'or the app belongs to another tenant whose administrator has not consented yet.',
  todo:
    `Compare AZURE_CLIENT_ID and AZURE_TENANT_ID with ${REGISTRATION} → Overview. ` +
    'For an app of another tenant let an administrator open the address that `dynamics-gateway consent` prints.',
}

const unknownResource: Explanation = {
  what: 'Entra does not know the environment that the token is for.',
  why:
    'DYNAMICS_URL is mistyped or of another region, the environment was renamed or deleted, ' +
    'or it belongs to another tenant than AZURE_TENANT_ID.',
  todo:
    'Copy the Environment URL from the Power Platform admin centre (admin.powerplatform.microsoft.com) → Manage → ' +
    'Environments → the environment into DYNAMICS_URL, and check that AZURE_TENANT_ID is the tenant of that ' +
    'environment.',
}

const badScope: Explanation = {
  what: 'Entra does not accept the scope of the token.',
  why: "An app's own token is for exactly one resource, and its scope ends in /.default.",
  todo:
    "Remove DYNAMICS_SCOPE, so that the gateway takes the environment's own, " +
    'or write https://<environment>/.default.',
}

const consent: Explanation = {
  what: 'The app lacks a permission that somebody has to consent to.',
  why:
    'Nobody has consented yet, or the permission is not listed in the app registration. ' +
    "An app's own token for Dataverse needs no consent; a person's does.",
  todo:
    `In ${REGISTRATION} → API permissions, add Dynamics CRM → user_impersonation (delegated), ` +
    'then choose Grant admin consent; or open the address that `dynamics-gateway consent` prints.',
}

const assignment: Explanation = {
  what: 'Only users and apps that are assigned to the application may use it, and this one is not.',
  why: 'The application has Assignment required switched on.',
  todo: `In ${ENTERPRISE_APP} → Users and groups, assign it, or set Properties → Assignment required to No.`,
}

const disabledApp: Explanation = {
  what: 'The app is disabled in the tenant.',
  why: 'An administrator has switched sign-in off for it.',
  todo: `In ${ENTERPRISE_APP} → Properties, set Enabled for users to sign in to Yes.`,
}

const malformed: Explanation = {
  what: 'Entra reports that the request is incomplete.',
  why: 'Something between the gateway and Entra changes requests, or AZURE_AUTHORITY_HOST is not a v2.0 authority.',
  todo: 'Check AZURE_AUTHORITY_HOST, and whether a proxy (HTTPS_PROXY) rewrites requests to Entra.',
}

const otherCloud: Explanation = {
  what: 'The tenant or the app belongs to another national cloud.',
  why: 'Registrations and credentials are valid in one cloud only.',
  todo:
    "Set AZURE_AUTHORITY_HOST to the authority of the tenant's cloud (https://login.microsoftonline.us, " +
    'https://login.partner.microsoftonline.cn), and use an app registration of that cloud.',
}

/** Numbers about the tenant, the app, the environment asked for, and what the app may do there. */
export const APPLICATIONS: Readonly<Record<number, Explanation>> = {
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
    why: 'AZURE_TENANT_ID does not name a tenant.',
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
  700023: malformed,
  700021: unknownApp,
  65001: consent,
  650057: consent,
  650052: {
    what: 'The tenant has no subscription for the service.',
    why: 'Dynamics 365 or Power Platform was never activated in this tenant, or AZURE_TENANT_ID is the wrong one.',
    todo:
      'Check that AZURE_TENANT_ID is the tenant of the environment; ' +
      'otherwise activate the service (Microsoft 365 admin centre → Billing → Licences).',
  },
  650056: { ...consent, what: 'The app registration is not set up for this permission.' },
  50105: assignment,
  501051: assignment,
  90038: otherCloud,
  900382: otherCloud,
  900432: otherCloud,
  65004: {
    ...consent,
    what: 'The person or administrator declined to consent.',
    why: 'Cancel was chosen on the consent page.',
  },
  7000229: {
    what: 'The app has no service principal in this tenant.',
    why: 'Its enterprise application was deleted there or never created. An app of another tenant gets one by consent.',
    todo:
      `Open the address that \`dynamics-gateway consent\` prints as an administrator, and look for the app in ` +
      `${ENTRA} → Enterprise applications.`,
  },
  7000110: {
    what: 'The request holds two different client ids.',
    why: 'The client id of the request is not the one in the credential that goes with it.',
    todo:
      "Write the client id of the app registration that the certificate or the platform's token belongs to into " +
      'AZURE_CLIENT_ID.',
  },
  90094: {
    ...consent,
    what: 'An administrator has to consent to a permission of the app.',
    why: 'The tenant does not let people consent to it themselves.',
  },
  90095: {
    ...consent,
    what: 'An administrator has to consent to a permission of the app.',
    why: 'The tenant lets people request consent, but does not let them consent themselves.',
  },
  90099: { ...consent, what: 'The app has not been authorised in the tenant.' },
  65005: { ...consent, what: 'The app registration asks for a permission that is not set up.' },
  90008: { ...consent, what: 'The app registration lacks a permission that every sign-in of a person needs.' },
  500014: {
    ...unknownResource,
    what: "The environment's service is disabled in this tenant.",
    why: 'An administrator disabled the service principal of Dynamics 365 (Dataverse), or its subscription ended.',
    todo:
      `In ${ENTRA} → Enterprise applications → Dataverse (Common Data Service) → Properties, set ` +
      'Enabled for users to sign in to Yes, or renew the subscription.',
  },
  500341: {
    what: 'The account was deleted from the tenant.',
    why: "The person, or the app's service principal, is not in the directory any more.",
    todo: `Restore it in ${ENTRA} → Users → Deleted users, or run \`dynamics-gateway login\` as somebody else.`,
  },
  500021: {
    what: 'The network blocks sign-ins to this tenant.',
    why: 'A proxy in between restricts sign-ins to listed tenants (tenant restrictions).',
    todo: 'Ask whoever runs the proxy (HTTPS_PROXY) to add the tenant, or correct AZURE_TENANT_ID.',
  },
  9002313: malformed,
  90014: malformed,
  70002: malformed,
  1000031: {
    what: 'The app cannot be used at this time.',
    why: 'Entra says only that an administrator must be asked.',
    todo: `Look at ${ENTERPRISE_APP} → Properties, and at ${REGISTRATION} → Overview for a note from Microsoft.`,
  },
}
