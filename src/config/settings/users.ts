import { group } from '../setting.ts'
import { flag } from '../values.ts'

/** Which users are read before a request names them. */
export const users = group('The users of the environment in memory.', {
  preload: flag({
    description:
      'Reads all users at the start, in the background, and then every 30 s what has changed, while there are ' +
      'requests: no request waits for a lookup, and a user who is disabled is refused within a minute. It needs the ' +
      'right to read all users, and change tracking of the table `systemuser`, which is not switched on for it. ' +
      'Otherwise, and with more than 100,000 users, users are looked up one by one.',
    env: 'USERS_PRELOAD',
    fallback: false,
  }),
})
