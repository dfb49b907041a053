import { isGuid } from '../odata/guid.ts'
import { isLoopbackHost } from '../odata/loopback.ts'
import { parseRule, PRESETS } from './rule.ts'
import { SettingError, group } from './setting.ts'
import type { Group, ArrayOf, Members, Read } from './setting.ts'
import { choice, flag, list, matching, optional, parsed } from './values.ts'

/** What a caller may do, and as which users. Used for listed callers and for `anybody`. */
const policy = {
  users: list(
    {
      description:
        'The users that this caller may name: `*` for any, e-mail addresses, `@domain`, or Entra object ids. ' +
        'An empty list: none. Where a request names its user by the other of address and id, their row decides ' +
        '(its address in the first of `emailColumns`).',
      hint: 'e-mail addresses, @contoso.com, Entra object ids, or *',
      fallback: ['*'],
    },
    (text) => namedUsers(text).toLowerCase(),
  ),
  callerIds: choice({
    description:
      'Whether this caller may itself send `CallerObjectId` or `MSCRMCallerID`: one of them, once, with a GUID. ' +
      'On a `$batch` it holds for all parts; in a part it is refused.',
    fallback: 'refuse',
    words: ['refuse', 'allow'],
  }),
  rules: list(
    {
      description:
        'What this caller may do. An empty list: everything that the application user, or the person who signed in, may do. ' +
        `${PRESETS.map((name) => `\`${name}\``).join(', ')}, and \`allow\` or \`deny\` with methods and names: ` +
        '`allow GET,POST accounts`, ' +
        '`deny * annotations`, `allow GET accounts/primarycontactid`, `allow POST WinOpportunity()`. A `deny` wins ' +
        'over every `allow`; once there is an `allow`, all that none of them names is refused. The rules hold for ' +
        'every request inside a `$batch` too. Where they restrict what is read, navigation properties (in paths, ' +
        '`$expand`, `$select`, `$filter`, `$orderby`, `$apply`, with keys or without) must be named by an `allow`, as ' +
        'must the logical names of all entities in `fetchXml`; `savedQuery`, `userQuery` and, inside a `$batch`, ' +
        '`POST …/$query` are refused. A PATCH or PUT with `Prefer: return=representation` must be allowed to read, too; a `deny` of PATCH ' +
        'or DELETE holds for `UpdateMultiple`, `UpsertMultiple` and `DeleteMultiple` of the entity set. Not covered: ' +
        'what the body of a request names (`@odata.bind`, deep inserts, the parameters of actions), and what plug-ins, ' +
        'workflows and other actions do.',
      hint: `rules such as ${PRESETS.join(', ')}, allow GET accounts, deny * annotations`,
    },
    parseRule,
  ),
  bypassHeaders: flag({
    description: 'Whether this caller may send `MSCRM.Bypass…` headers, which skip business logic.',
    fallback: false,
  }),
  callbacks: flag({
    description: 'Whether this caller may ask Dynamics to call a URL back (`Prefer: respond-async, callback`).',
    fallback: false,
  }),
  priority: choice({
    description:
      'Priority of the requests of this caller in the queue. `background` requests go behind `interactive` ones, and ' +
      'get one in ten turns while those wait. A request may choose `background` itself: ' +
      '`Prefer: gateway.priority=background`.',
    fallback: 'interactive',
    words: ['interactive', 'background'],
  }),
  dryRun: flag({ description: 'Rules only write to the log what they would have refused.', fallback: false }),
}

/** What anyone who reaches the gateway may do, while no callers are listed. */
export const anybody = group('What anyone who reaches the gateway may do, while no callers are listed.', policy)

const token = {
  ...group(
    'The tokens of Entra, or of another OIDC provider, that this caller is known by. ' +
      'One of roles, scopes, clientIds and subjects at least.',
    {
      issuer: parsed(
        {
          description: 'The issuer of the tokens, exactly as in their claim `iss`.',
          required: true,
          hint: 'a URL such as https://login.microsoftonline.com/<tenant id>/v2.0',
        },
        secureUrl,
      ),
      audience: list(
        {
          description: 'The audience of the tokens: their claim `aud` holds one of these.',
          hint: 'an application id or its URI, such as api://gateway',
        },
        (text) => text,
      ),
      keys: optional(
        {
          description:
            "The address of the issuer's public keys (JWKS). Default: the one in its `/.well-known/openid-configuration`.",
          hint: 'a URL',
        },
        secureUrl,
      ),
      algorithms: list(
        {
          description: 'The accepted signature algorithms.',
          hint: 'RS256, PS256, ES256, EdDSA or their longer forms',
          fallback: ['RS256'],
        },
        matching(
          /^((RS|PS|ES)(256|384|512)|EdDSA)$/,
          'holds an algorithm that is not accepted: write RS256, PS256, ES256, EdDSA or their longer forms.',
        ),
      ),
      roles: list(
        { description: 'One of these roles is in the token (`roles`).', hint: 'names of app roles' },
        (text) => text,
      ),
      scopes: list(
        {
          description: 'One of these scopes is in the token (`scp` or `scope`).',
          hint: 'names of scopes',
        },
        (text) => text,
      ),
      clientIds: list(
        {
          description: 'The token was given to one of these apps (`azp`, `appid` or `client_id`).',
          hint: 'application ids',
        },
        (text) => text,
      ),
      subjects: list({ description: 'The token is about one of these (`sub`).', hint: 'subjects' }, (text) => text),
    },
  ),
  optional: true as const,
}

/** The callers, one entry each. */
export const callers = {
  type: 'array',
  description: 'Who may call the gateway. While the list is empty, anyone who reaches it may.',
  items: group('One caller, known by a key, a token or a client certificate.', {
    name: parsed(
      {
        description: "The caller's name in logs, metrics and the queue.",
        required: true,
        hint: 'a short name such as billing',
      },
      matching(
        /^[a-z0-9][a-z0-9._-]{0,63}$/i,
        'is not a valid name: write letters, digits, dots, dashes and underscores, 64 at most.',
      ),
    ),
    keys: list(
      {
        description:
          "SHA-256 hashes of the caller's keys, as `dynamics-gateway key` prints them. Two during a change. The " +
          'caller sends its key as `Authorization: Bearer` or `X-Api-Key`; keys of two callers in one request ' +
          'are refused.',
        hint: 'the hash that `dynamics-gateway key` printed',
      },
      (text) =>
        matching(
          /^[0-9a-f]{64}$/i,
          'is not a SHA-256 hash: write the 64 hexadecimal digits that `dynamics-gateway key` prints.',
        )(text).toLowerCase(),
    ),
    token,
    certificates: list(
      {
        description:
          'Client certificates that the caller is known by: a SHA-256 fingerprint, or a name that an authority of ' +
          '`tls.clientCa` has certified: `CN=billing`, `DNS:billing.contoso.com`, `URI:spiffe://contoso/billing`.',
        hint: 'a SHA-256 fingerprint, CN=name, DNS:name or URI:name',
      },
      certificate,
    ),
    userFrom: choice({
      description:
        "Where the user comes from: the headers that name the user, or a claim of the caller's token. `oid` is the " +
        'safest and needs no lookup; addresses can be changed by people, so take them only from an issuer that checks ' +
        "them. `on-behalf-of`: the caller's token is exchanged for one of Dynamics, which then sees the person; its " +
        'audience must be the app registration of the credential. `on-behalf-of-or-header`: the same, and a request ' +
        'that also names a user by header runs as that user, with the rights of the application user to act for them.',
      fallback: 'header',
      words: ['header', 'oid', 'email', 'preferred_username', 'on-behalf-of', 'on-behalf-of-or-header'],
    }),
    inspect: flag({
      description:
        'Whether this caller may use the request inspector from another machine, together with the token of the link ' +
        'that is printed at start (`INSPECTOR`).',
      fallback: false,
    }),
    ...policy,
  }),
} as const satisfies ArrayOf<Group<Members>>

export type CallerSettings = Read<typeof callers>[number]
export type TokenSettings = NonNullable<CallerSettings['token']>
export type Policy = Read<typeof anybody>

/** Whether a caller sends the tokens of people, which are exchanged. */
export function bringsPeople({ userFrom }: Pick<CallerSettings, 'userFrom'>): boolean {
  return userFrom === 'on-behalf-of' || userFrom === 'on-behalf-of-or-header'
}

/** `*`, an address, a domain or an object id, as it was written. */
function namedUsers(text: string): string {
  if (isGuid(text)) return text
  return matching(
    /^(\*|[^@\s]*@[^@\s]+)$/,
    'holds something that names no user: write e-mail addresses, @contoso.com, Entra object ids, or *.',
  )(text)
}

/** `https:` anywhere, `http:` on this machine only. */
function secureUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const secure = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname))
  if (!secure) {
    throw new SettingError(
      'is not an https:// address: write a URL such as https://login.microsoftonline.com/<tenant id>/v2.0.',
    )
  }
  return text
}

/** A fingerprint as 64 lower-case hexadecimal digits, or a name with its type as a prefix. */
function certificate(text: string): string {
  const digits = text.replaceAll(':', '').toLowerCase()
  if (/^[0-9a-f]{64}$/.test(digits)) return digits
  return matching(
    /^(CN=|DNS:|URI:)\S/,
    'holds something that is not a certificate: write a SHA-256 fingerprint, CN=name, DNS:name or URI:name.',
  )(text)
}
