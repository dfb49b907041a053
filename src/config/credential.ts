import { isGuid } from '../odata/guid.ts'
import type { Secret } from './secret.ts'
import { SettingError, group } from './setting.ts'
import type { Group, OneOf, Members, Read } from './setting.ts'
import { flag, matching, optional, parsed, readableFile, secret } from './values.ts'

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

const TENANT = {
  description: 'The Entra tenant (directory) id, or a domain of the tenant.',
  env: 'AZURE_TENANT_ID',
  required: true,
  hint: 'the Directory (tenant) ID of the app registration, for example 11111111-2222-3333-4444-555555555555',
} as const

/** A tenant for applications, which get tokens only from one tenant: `common` and the like are refused. */
const tenantId = parsed(TENANT, (text) => {
  if (/^(common|organizations|consumers)$/i.test(text)) {
    throw new SettingError(
      `is ${text}, which only people can sign in through: write the Directory (tenant) ID of the app registration.`,
    )
  }
  return tenant(text)
})

const clientId = parsed(
  {
    description: "The app registration's application (client) id.",
    env: 'AZURE_CLIENT_ID',
    required: true,
    hint: 'the Application (client) ID of the app registration',
  },
  guid,
)

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
      password: secret({
        description: 'The password of the private key or PFX file.',
        env: 'AZURE_CLIENT_CERTIFICATE_PASSWORD',
      }),
      sendChain: flag({
        description: 'Sends the certificate chain too, for registrations that trust a subject name and issuer.',
        env: 'AZURE_CLIENT_SEND_CERTIFICATE_CHAIN',
        fallback: false,
      }),
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
    settings: group('The identity that Azure gives the machine, app or container.', {
      clientId: optional(
        {
          description: 'The client id of a user-assigned identity. Default: the system-assigned identity.',
          env: 'AZURE_CLIENT_ID',
          hint: 'the client id of the managed identity',
        },
        guid,
      ),
    }),
  },
  delegated: {
    runsAs: 'person',
    settings: group('A person who signed in with `dynamics-gateway login`, for debugging with their own rights.', {
      tenantId: parsed(TENANT, tenant),
      clientId,
      secret: secret({
        description: 'The client secret, where the registration is a confidential one.',
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
        certificatePassword: secret({
          description: 'The password of the private key or PFX file.',
          env: 'AZURE_CLIENT_CERTIFICATE_PASSWORD',
        }),
        sendChain: flag({
          description: 'Sends the certificate chain too, for registrations that trust a subject name and issuer.',
          env: 'AZURE_CLIENT_SEND_CERTIFICATE_CHAIN',
          fallback: false,
        }),
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

type KindGroups = { readonly [K in CredentialKindName]: (typeof credentialKinds)[K]['settings'] }

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

/** The settings of one kind of credential. */
export type CredentialOf<K extends CredentialKindName> = {
  [P in K]: { readonly kind: P } & Read<KindGroups[P]>
}[K]

export type Credential = CredentialOf<CredentialKindName>
export type { Secret }

/** Whether requests run with the rights of a person instead of an application user. */
export function runsAsPerson({ kind }: Pick<Credential, 'kind'>): boolean {
  return credentialKinds[kind].runsAs === 'person'
}

/** Whether all requests run with the rights of the person whose token the caller sends. */
export function runsAsCaller({ kind }: Pick<Credential, 'kind'>): boolean {
  return credentialKinds[kind].runsAs === 'caller'
}

/** Whether this credential can exchange callers' user tokens. */
export function canExchange({ kind }: Pick<Credential, 'kind'>): boolean {
  return 'exchanges' in credentialKinds[kind]
}

function tenant(text: string): string {
  return matching(
    /^[0-9a-z][0-9a-z.-]*$/i,
    'is not a tenant: write the Directory (tenant) ID that the app registration shows.',
  )(text)
}

function guid(text: string): string {
  if (isGuid(text)) return text
  throw new SettingError(
    'is not an application id: write the Application (client) ID, for example 11111111-2222-3333-4444-555555555555.',
  )
}
