import type { Group, Many, Members, Read } from './setting.ts'
import { choice, flag, list, matching, parsed } from './values.ts'

/** What a caller may do, and as whom. The same for a known caller and for anybody. */
const policy = {
  users: list({
    about: 'The users that this caller may name by e-mail address: `*` for any, addresses, or `@domain`. An empty list: none.',
    write: 'e-mail addresses, @contoso.com, or *', fallback: ['*'],
  }, (text) => text.toLowerCase()),
  callerIds: choice({
    about: 'Whether this caller may itself send `CallerObjectId` or `MSCRMCallerID`.', fallback: 'refuse', words: ['refuse', 'allow'],
  }),
  rules: list({
    about: 'What this caller may do, such as `read-only` or `allow GET accounts`. An empty list: everything the application user may.',
    write: 'rules such as read-only, no-delete, allow GET accounts, deny * annotations',
  }, (text) => text),
  bypassHeaders: flag({ about: 'Whether this caller may send `MSCRM.Bypass…` headers, which skip business logic.', fallback: false }),
  callbacks: flag({ about: 'Whether this caller may ask Dynamics to call a URL back (`Prefer: respond-async, callback`).', fallback: false }),
  dryRun: flag({ about: 'Rules only write to the log what they would have refused.', fallback: false }),
}

/** What anybody may do who reaches the gateway, while it knows no callers. */
export const anybody = group('What anybody who reaches the gateway may do, while no callers are listed.', policy)

/** Who may call. One list entry a caller. */
export const callers = {
  type: 'many',
  about: 'Who may call the gateway. While the list is empty, anybody who reaches it may.',
  of: group('One caller, known by a key, a token or a client certificate.', {
    name: parsed({
      about: 'The caller\'s name in logs, metrics and the queue.', required: true, write: 'a short name such as billing',
    }, matching(/^[a-z0-9][a-z0-9._-]{0,63}$/i, 'is no name: write letters, digits, dots, dashes and underscores, 64 at most.')),
    keys: list({
      about: 'SHA-256 hashes of the caller\'s keys, as `dynamics-gateway key` prints them. Two during a change.',
      write: 'the hash that `dynamics-gateway key` printed',
    }, matching(/^[0-9a-f]{64}$/i, 'is no SHA-256 hash: write the 64 hexadecimal digits that `dynamics-gateway key` prints.')),
    userFrom: choice({
      about: 'Where the user comes from: the e-mail header, or a claim of the caller\'s token.',
      fallback: 'header', words: ['header', 'oid', 'email', 'preferred_username'],
    }),
    ...policy,
  }),
} as const satisfies Many<Group<Members>>

export type CallerSettings = Read<typeof callers>[number]
export type Policy = Read<typeof anybody>


function group<M extends Members>(about: string, members: M): Group<M> {
  return { type: 'group', about, members }
}
