import type { Logger } from '../logging/logger.ts'
import { onceIn } from './once-in.ts'

const LOG_INTERVAL_MS = 60_000

/**
 * Makes the function that warns the operator of a link in the headers of a response that leads to another host, and so
 * was kept from the caller. Once a minute for each host.
 */
export function warnOfForeignLinks(log: Pick<Logger, 'warn'>): (host: string) => void {
  const isDue = onceIn(LOG_INTERVAL_MS)
  return (host) => {
    if (!isDue(host)) return
    log.warn(
      { host },
      'an answer holds a link to another host in its headers; the caller does not get it: clients ' +
        'follow such links with their key. Where this host is the environment itself, set DYNAMICS_URL to its URL',
    )
  }
}
