import type { Explanation } from './explanation.ts'
import { REGISTRATION } from './portals.ts'

const badAssertion: Explanation = {
  what: 'Entra does not accept the signed assertion of the credential.',
  why: 'The certificate is not the one that is registered, or what signed the assertion is not trusted for this app.',
  todo:
    `Upload the certificate (its public part) at ${REGISTRATION} → Certificates & secrets → Certificates, ` +
    "and compare its thumbprint there with the one that `check` and the gateway's log name.",
}

const federation: Explanation = {
  what: "No federated credential of the app matches the platform's token.",
  why: 'Issuer, subject or audience of the token differ from what is registered; they must match exactly.',
  todo:
    `Compare them at ${REGISTRATION} → Certificates & secrets → Federated credentials: ` +
    "for Kubernetes the cluster's issuer URL, " +
    'system:serviceaccount:<namespace>:<service account>, and api://AzureADTokenExchange.',
}

const clock: Explanation = {
  what: 'The assertion of the credential is not valid at this time.',
  why:
    'The clock of this machine is wrong by more than a few minutes, ' +
    "or the platform's token file holds an old token.",
  todo:
    'Correct the clock of this machine (time synchronisation, for example chrony), ' +
    'and see that the platform renews the token file.',
}

/** Numbers about what the app proves its identity with. */
export const CREDENTIALS: Readonly<Record<number, Explanation>> = {
  7000215: {
    what: 'The client secret is wrong.',
    why: "Often the secret's ID was copied instead of its Value, or the secret is of another app, or was deleted.",
    todo:
      `Create a new secret at ${REGISTRATION} → Certificates & secrets → Client secrets, ` +
      'copy its Value (shown only once), and put it into AZURE_CLIENT_SECRET.',
  },
  7000222: {
    what: 'The client secret has expired.',
    why: 'Client secrets have an expiry date, and it has passed.',
    todo:
      `Create a new secret at ${REGISTRATION} → Certificates & secrets → Client secrets, ` +
      'and put its Value into AZURE_CLIENT_SECRET.',
  },
  7000218: {
    what: 'Entra asks for a client secret or certificate, and none was sent.',
    why: "The registration is a confidential client; a person's sign-in without a secret needs a public one.",
    todo:
      `Set AZURE_CLIENT_SECRET; or for \`login\` set ${REGISTRATION} → Authentication → Allow public client flows ` +
      'to Yes, with http://localhost as redirect URI of Mobile and desktop applications.',
  },
  700025: {
    what: 'The app is a public client, so Entra takes neither secret nor certificate from it.',
    why: 'Allow public client flows is set, or the redirect URI is one of Mobile and desktop applications.',
    todo:
      `Set ${REGISTRATION} → Authentication → Allow public client flows to No, ` +
      'or for CREDENTIAL=delegated remove AZURE_CLIENT_SECRET.',
  },
  700027: {
    ...badAssertion,
    what: 'Entra does not know the certificate, or it has expired.',
    why:
      'The certificate was not uploaded to this app, was replaced there, has expired, ' +
      'or the clock of this machine is wrong.',
  },
  700030: badAssertion,
  50012: badAssertion,
  50027: badAssertion,
  50013: badAssertion,
  700024: clock,
  700213: federation,
  700212: federation,
  700211: federation,
  70021: federation,
  700229: {
    what: "The platform's token is of a kind that Entra does not take here.",
    why: 'Only tokens of apps, not of people, may act as this app.',
    todo:
      `Use a client secret or certificate, or fix ${REGISTRATION} → Certificates & secrets ` +
      '→ Federated credentials.',
  },
  7000216: {
    what: 'Entra asks for a client secret or certificate, and none was sent.',
    why: 'The grant that the gateway uses needs one.',
    todo: 'Set AZURE_CLIENT_SECRET, or another credential.',
  },
  5002730: {
    ...badAssertion,
    what: 'Entra does not take the kind of key that signed the assertion.',
    why: 'The signing algorithm and the kind of key do not fit: certificates need an RSA key of 2048 bits or more.',
    todo:
      `Make an RSA certificate and upload its public part at ${REGISTRATION} → Certificates & secrets; ` +
      "for a platform's token (AZURE_FEDERATED_TOKEN_FILE) see which key its issuer signs with.",
  },
  500133: clock,
  50146: badAssertion,
}
