import { authority } from '../addresses.ts'
import { environmentUrl } from '../environment-url.ts'
import { group } from '../setting.ts'
import { matching, optional, parsed, secret } from '../values.ts'
import { targetCaching } from './caching.ts'
import { credential } from './credential.ts'
import { impersonation } from './impersonation.ts'
import { sendingLimits } from './sending-limits.ts'
import { users } from './users.ts'

/** One target: an environment, and all that is set for it alone. */
export const target = group(
  'One environment: where it is, what the gateway proves its identity with, and its limits.',
  {
    name: optional(
      {
        description:
          'The prefix below which callers find this environment: `/sales/accounts`. Optional with a single target.',
        hint: 'a short name such as sales',
      },
      matching(
        /^[a-z][a-z0-9-]{0,31}$/,
        'is not a valid prefix: write lower-case letters, digits and dashes, beginning with a letter.',
      ),
    ),
    url: parsed(
      {
        description: 'The URL of the environment, or of its API root.',
        env: 'DYNAMICS_URL',
        required: true,
        hint: "the environment's URL, such as https://contoso.crm4.dynamics.com",
      },
      environmentUrl,
    ),
    scope: optional(
      {
        description: "The scope of the access token. Default: the environment's origin and `/.default`.",
        env: 'DYNAMICS_SCOPE',
        hint: 'a scope such as https://contoso.crm4.dynamics.com/.default',
      },
      matching(
        /^\S+\/\.default$/,
        'does not end in /.default: write a scope such as https://contoso.crm4.dynamics.com/.default.',
      ),
    ),
    credential,
    authorityHost: optional(
      {
        description:
          'The authority, for national clouds or a private one. Default: the authority of the cloud that hosts the environment.',
        env: 'AZURE_AUTHORITY_HOST',
        hint: 'an origin such as https://login.microsoftonline.us',
      },
      authority,
    ),
    impersonation,
    users,
    ...sendingLimits,
    ...targetCaching,
    idempotencySalt: secret({
      description:
        'The secret key of the hashes that become the primary keys of rows created with an `Idempotency-Key`. The same in all ' +
        'replicas; with another one, a create that is sent again makes a second row. Default: derived from the app ' +
        'registration.',
      env: 'IDEMPOTENCY_SALT',
    }),
  },
)
