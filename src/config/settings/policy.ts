import { isGuid } from '../../odata/guid.ts'
import { parseRule, PRESETS } from '../rule.ts'
import { group } from '../setting.ts'
import type { Read } from '../setting.ts'
import { choice, flag, list, matching } from '../values.ts'

/** What a caller may do, and as which users. Used for listed callers and for `anybody`. */
export const policy = {
  users: list(
    {
      description:
        'The users that this caller may name: `*` for any, e-mail addresses, `@domain`, or Entra object ids. ' +
        'An empty list: none. If a request names an id and the list an address, or the reverse, the row of the user decides ' +
        '(its address in the first of `emailColumns`).',
      hint: 'e-mail addresses, @contoso.com, Entra object ids, or *',
      fallback: ['*'],
    },
    (text) => namedUsers(text).toLowerCase(),
  ),
  callerIds: choice({
    description:
      'Whether this caller may itself send `CallerObjectId` or `MSCRMCallerID`: one of them, once, with a GUID. ' +
      'On a `$batch` it applies to all parts; in a part it is refused.',
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
        'over every `allow`; if there is an `allow`, everything that no `allow` names is refused. The rules apply to ' +
        'every request inside a `$batch` too. Where they restrict what is read, navigation properties (in paths, ' +
        '`$expand`, `$select`, `$filter`, `$orderby`, `$apply`, with keys or without) must be named by an `allow`, as ' +
        'must the logical names of all entities in `fetchXml`; `savedQuery`, `userQuery` and, inside a `$batch`, ' +
        '`POST …/$query` are refused. A PATCH or PUT with `Prefer: return=representation` must be allowed to read, too; a `deny` of PATCH ' +
        'or DELETE applies to `UpdateMultiple`, `UpsertMultiple` and `DeleteMultiple` of the entity set. Not covered: ' +
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

export type Policy = Read<typeof anybody>

/** `*`, an address, a domain or an object id, as it was written. */
function namedUsers(text: string): string {
  if (isGuid(text)) return text
  return matching(
    /^(\*|[^@\s]*@[^@\s]+)$/,
    'holds something that names no user: write e-mail addresses, @contoso.com, Entra object ids, or *.',
  )(text)
}
