import { group } from '../setting.ts'
import type { Group, Members, OneOf } from '../setting.ts'
import { optional, parsed, readableFile, secret } from '../values.ts'
import {
  applicationId,
  certificatePassword,
  clientId,
  personsTenantId,
  sendChain,
  tenantId,
} from './app-registration.ts'

/**
 * The settings of a kind of credential. `credentials/kinds.ts` adds what the kind does, and does not
 * compile while a kind of this file is missing there.
 */
interface KindSettings {
  readonly settings: Group<Members>
  /** The environment variable that chooses this kind; without one, only `CREDENTIAL` does. */
  readonly variable?: string
  /** Whose rights a request has in Dynamics. With the rights of a person, impersonation is off by default. */
  readonly runsAs: 'application' | 'person' | 'caller'
  /** Whether it can exchange a caller's user token for one of Dynamics (on behalf of). */
  readonly exchanges?: true
}

/** Every kind of credential, in the order in which the documentation lists them. */
export const credentialKinds = {
  'client-secret': {
    variable: 'AZURE_CLIENT_SECRET',
    runsAs: 'application',
    exchanges: true,
    settings: group('An app registration with a client secret.', {
      tenantId,
      clientId,
      secret: secret({
        description: "The client secret's value (not its id).",
        env: 'AZURE_CLIENT_SECRET',
        required: true,
        hint:
          'the value, or the path of a file that holds it in AZURE_CLIENT_SECRET_FILE; for another kind of ' +
          'credential set AZURE_CLIENT_CERTIFICATE_PATH, AZURE_FEDERATED_TOKEN_FILE or CREDENTIAL; ' +
          'for a managed identity remove AZURE_TENANT_ID',
      }),
    }),
  },
  certificate: {
    variable: 'AZURE_CLIENT_CERTIFICATE_PATH',
    runsAs: 'application',
    exchanges: true,
    settings: group('An app registration with a certificate.', {
      tenantId,
      clientId,
      file: parsed(
        {
          description: 'A PEM file with certificate and private key, or a PFX file.',
          env: 'AZURE_CLIENT_CERTIFICATE_PATH',
          required: true,
          hint: 'the path of the file',
        },
        readableFile,
      ),
      password: certificatePassword,
      sendChain,
    }),
  },
  'workload-identity': {
    variable: 'AZURE_FEDERATED_TOKEN_FILE',
    runsAs: 'application',
    exchanges: true,
    settings: group('A federated token that the platform writes to a file (Kubernetes).', {
      tenantId,
      clientId,
      file: parsed(
        {
          description: 'The file with the federated token; read again for every request to Entra.',
          env: 'AZURE_FEDERATED_TOKEN_FILE',
          required: true,
          hint: 'the path of the file',
        },
        readableFile,
      ),
    }),
  },
  'managed-identity': {
    runsAs: 'application',
    settings: group('The managed identity that Azure assigns to the machine, app or container.', {
      clientId: optional(
        {
          description: 'The client id of a user-assigned identity. Default: the system-assigned identity.',
          env: 'AZURE_CLIENT_ID',
          hint: 'the client id of the managed identity',
        },
        applicationId,
      ),
    }),
  },
  delegated: {
    runsAs: 'person',
    settings: group('A person who signed in with `dynamics-gateway login`, for debugging with their own rights.', {
      tenantId: personsTenantId,
      clientId,
      secret: secret({
        description: 'The client secret, if the registration is a confidential client.',
        env: 'AZURE_CLIENT_SECRET',
      }),
    }),
  },
  'on-behalf-of': {
    runsAs: 'caller',
    exchanges: true,
    settings: group(
      'An app registration that exchanges the tokens of people who call, so that each request has the rights of its ' +
        'person, and that never acts by itself. One of secret, certificateFile and federatedTokenFile.',
      {
        tenantId,
        clientId,
        secret: secret({ description: "The client secret's value (not its id).", env: 'AZURE_CLIENT_SECRET' }),
        certificateFile: optional(
          {
            description: 'A PEM file with certificate and private key, or a PFX file.',
            env: 'AZURE_CLIENT_CERTIFICATE_PATH',
            hint: 'the path of the file',
          },
          readableFile,
        ),
        certificatePassword,
        sendChain,
        federatedTokenFile: optional(
          {
            description: 'A file with a federated token of the platform; read again for every request to Entra.',
            env: 'AZURE_FEDERATED_TOKEN_FILE',
            hint: 'the path of the file',
          },
          readableFile,
        ),
      },
    ),
  },
} as const satisfies Readonly<Record<string, KindSettings>>

export type CredentialKindName = keyof typeof credentialKinds

/** The group of settings of each kind. */
export type KindGroups = { readonly [K in CredentialKindName]: (typeof credentialKinds)[K]['settings'] }

/** What the gateway proves its identity with: one group for each kind. */
export const credential: OneOf<KindGroups> = {
  type: 'oneOf',
  description:
    'What the gateway proves its identity with. In environment variables the kind follows from the ' +
    'variables that are set.',
  kinds: Object.fromEntries(
    Object.entries(credentialKinds).map(([kind, { settings }]) => [kind, settings]),
  ) as KindGroups,
}
