import { group } from '../setting.ts'
import type { ArrayOf, Group, Members, Read } from '../setting.ts'
import { choice, flag, list, matching, parsed } from '../values.ts'
import { callerToken } from './caller-token.ts'
import { policy } from './policy.ts'

/** The callers, one entry each. */
export const callers = {
  type: 'array',
  description: 'Who may call the gateway. While the list is empty, anyone who reaches it may.',
  items: group('One caller, identified by a key, a token or a client certificate.', {
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
    token: callerToken,
    certificates: list(
      {
        description:
          'Client certificates that identify the caller: a SHA-256 fingerprint, or a name that an authority of ' +
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

/** Whether a caller sends the tokens of people, which are exchanged. */
export function bringsPeople({ userFrom }: Pick<CallerSettings, 'userFrom'>): boolean {
  return userFrom === 'on-behalf-of' || userFrom === 'on-behalf-of-or-header'
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
