import { isGuid } from '../odata/guid.ts'
import { allOf, oneOf } from './prose.ts'
import type { Secret } from './secret.ts'
import { Fault, group } from './setting.ts'
import type { Read } from './setting.ts'
import { matching, flag, optional, parsed, readableFile, secret } from './values.ts'

/** The kinds by the variable that tells each. */
const TOLD_BY = {
  AZURE_CLIENT_SECRET: 'client-secret',
  AZURE_CLIENT_CERTIFICATE_PATH: 'certificate',
  AZURE_FEDERATED_TOKEN_FILE: 'workload-identity',
} as const

/** The variables of which each tells a kind of credential. */
export const TELLING_VARIABLES = Object.keys(TOLD_BY) as readonly (keyof typeof TOLD_BY)[]

const SECRET = 'AZURE_CLIENT_SECRET'

const tenantId = parsed(
  {
    about: 'The Entra tenant (directory) id, or a domain of the tenant.',
    env: 'AZURE_TENANT_ID',
    required: true,
    write: 'the Directory (tenant) ID of the app registration, for example 11111111-2222-3333-4444-555555555555',
  },
  matching(/^[0-9a-z][0-9a-z.-]*$/i, 'is no tenant: write the Directory (tenant) ID that the app registration shows.'),
)

const clientId = parsed(
  {
    about: "The app registration's application (client) id.",
    env: 'AZURE_CLIENT_ID',
    required: true,
    write: 'the Application (client) ID of the app registration',
  },
  guid,
)

/** What the gateway proves its identity with, one group a kind. */
export const credential = {
  type: 'kinds',
  about:
    'What the gateway proves its identity with. In the environment the kind follows from the ' +
    'variables that are set.',
  kinds: {
    'client-secret': group('An app registration with a client secret.', {
      tenantId,
      clientId,
      secret: secret({
        about: "The client secret's value (not its id).",
        env: SECRET,
        required: true,
        write:
          'the value, or the path of a file that holds it in AZURE_CLIENT_SECRET_FILE; for another kind of ' +
          `credential set ${oneOf([...TELLING_VARIABLES.filter((name) => name !== SECRET), 'CREDENTIAL'])}; ` +
          'for a managed identity remove AZURE_TENANT_ID',
      }),
    }),
    certificate: group('An app registration with a certificate.', {
      tenantId,
      clientId,
      file: parsed(
        {
          about: 'A PEM file with certificate and private key, or a PFX file.',
          env: 'AZURE_CLIENT_CERTIFICATE_PATH',
          required: true,
          write: 'the path of the file',
        },
        readableFile,
      ),
      password: secret({
        about: 'The password of the private key or PFX file.',
        env: 'AZURE_CLIENT_CERTIFICATE_PASSWORD',
      }),
      sendChain: flag({
        about: 'Sends the certificate chain too, for registrations that trust a subject name and issuer.',
        env: 'AZURE_CLIENT_SEND_CERTIFICATE_CHAIN',
        fallback: false,
      }),
    }),
    'workload-identity': group('A federated token that the platform writes to a file (Kubernetes).', {
      tenantId,
      clientId,
      file: parsed(
        {
          about: 'The file with the federated token; read anew for every request to Entra.',
          env: 'AZURE_FEDERATED_TOKEN_FILE',
          required: true,
          write: 'the path of the file',
        },
        readableFile,
      ),
    }),
    'managed-identity': group('The identity that Azure gives the machine, app or container.', {
      clientId: optional(
        {
          about: 'The client id of a user-assigned identity; left out, the system-assigned one.',
          env: 'AZURE_CLIENT_ID',
          write: 'the client id of the managed identity',
        },
        guid,
      ),
    }),
    delegated: group('A person who signed in with `dynamics-gateway login`, for debugging with their own rights.', {
      tenantId,
      clientId,
      secret: secret({
        about: 'The client secret, where the registration is a confidential one.',
        env: 'AZURE_CLIENT_SECRET',
      }),
    }),
  },
} as const

export type Credential = Read<typeof credential>
export type { Secret }

type Kind = keyof (typeof credential)['kinds']

/**
 * The kind of credential that the variables describe. None of the telling ones means a managed
 * identity, but only where no tenant is named: a tenant without a credential is something forgotten.
 *
 * @param named what CREDENTIAL says, for where the variables do not tell; it does not choose between two kinds
 */
export function kindOfCredential(
  isSet: (variable: string) => boolean,
  named: string | undefined,
  faults: string[],
): Kind | undefined {
  const told = TELLING_VARIABLES.filter(isSet)
  if (named !== undefined) return namedKind(named, told, faults)
  if (told.length > 1) {
    faults.push(`${allOf(told)} are all set, but only one kind of credential can be used: remove all but one.`)
    return undefined
  }
  if (told[0] !== undefined) return TOLD_BY[told[0]]
  // A tenant without a credential is something forgotten: then the secret is what is missing.
  return isSet('AZURE_TENANT_ID') ? 'client-secret' : 'managed-identity'
}

function namedKind(named: string, told: readonly (keyof typeof TOLD_BY)[], faults: string[]): Kind | undefined {
  const kinds = Object.keys(credential.kinds) as Kind[]
  const kind = kinds.find((kind) => kind === named)
  if (kind === undefined) {
    faults.push(`CREDENTIAL is not known: write one of ${kinds.join(', ')}.`)
    return undefined
  }
  const own = Object.values(credential.kinds[kind].members).map(({ env }) => env)
  const others = told.filter((variable) => !own.includes(variable))
  if (others.length > 0) {
    const all = allOf(others)
    faults.push(
      `CREDENTIAL is ${kind}, and ${all} ${others.length === 1 ? 'belongs' : 'belong'} to another kind ` +
        `(${others.map((variable) => TOLD_BY[variable]).join(', ')}), but only one kind of credential can be used. ` +
        `Remove ${all} (leave it empty where a platform sets it), or CREDENTIAL.`,
    )
  }
  return kind
}

function guid(text: string): string {
  if (isGuid(text)) return text
  throw new Fault(
    'is no application id: write the Application (client) ID, for example 11111111-2222-3333-4444-555555555555.',
  )
}
