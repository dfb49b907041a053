import { ownHeader } from '../header-name.ts'
import { group } from '../setting.ts'
import { choice, duration, flag, list, matching, parsed, wholeNumber } from '../values.ts'

/** As which user a request runs. */
export const impersonation = group('Acting as the user whose e-mail address or Entra object id a request carries.', {
  mode: choice({
    description:
      '`off`: the headers that name the user are ignored. `optional`: without them a request runs as the application ' +
      'user. `required`: without them a request is refused. With `CREDENTIAL=delegated` or `on-behalf-of` the default is `off`.',
    env: 'IMPERSONATION',
    fallback: 'optional',
    words: ['off', 'optional', 'required'],
  }),
  header: parsed(
    {
      description: "The inbound header that carries the user's e-mail address.",
      env: 'USER_EMAIL_HEADER',
      fallback: 'x-user-email',
      hint: 'a header name',
    },
    ownHeader,
  ),
  idHeader: parsed(
    {
      description: "The inbound header that carries the user's Entra object id, in place of the address.",
      env: 'USER_ID_HEADER',
      fallback: 'x-user-id',
      hint: 'a header name',
    },
    ownHeader,
  ),
  emailColumns: list(
    {
      description:
        'The columns of `systemusers` in which an address is looked for, in this order. The first column that ' +
        'holds it decides, also where its user is disabled or not the only one. Name only columns that people cannot ' +
        'change themselves.',
      env: 'USER_EMAIL_COLUMNS',
      fallback: ['internalemailaddress'],
      hint: 'columns such as internalemailaddress, domainname, windowsliveid, or one of your own',
    },
    matching(
      /^[a-z][a-z0-9_]{0,99}$/,
      'holds something that is not a column: write logical names, such as internalemailaddress or domainname.',
    ),
  ),
  remember: duration({ description: 'How long a user that was found is remembered.', fallback: '10m' }),
  rememberUnknown: duration({
    description: 'How long it is remembered that an address or id belongs to no user.',
    fallback: '60s',
  }),
  users: wholeNumber({
    description: 'Maximum number of remembered users, and of remembered unknown addresses and ids.',
    fallback: 10_000,
    minimum: 1,
    maximum: 1_000_000,
  }),
  lookupsPerSecond: wholeNumber({
    description: 'Maximum lookups of users per second; further ones wait.',
    fallback: 20,
    minimum: 1,
    maximum: 1000,
  }),
  lookupTimeout: duration({ description: 'The longest wait for the lookup of a user.', fallback: '10s' }),
  verify: flag({
    description: "Proves on a user's first use, with one more request, that Dynamics really acts as this user.",
    env: 'IMPERSONATION_VERIFY',
    fallback: false,
  }),
})
