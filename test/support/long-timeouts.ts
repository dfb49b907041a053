import type { Settings } from '../../src/config/schema.ts'
import { LINK_TIMES } from '../../src/replicas/redis-link.ts'
import type { ReplicaTimes } from '../../src/replicas/redis.ts'

const DEFAULT_TIMEOUT_MS = 5000
const LONG_TIMEOUT_MS = 60_000

/** The default times, with longer timeouts, so that a replica on a busy machine does not start to work alone. */
export const LONG_REPLICA_TIMES: ReplicaTimes = {
  ...LINK_TIMES,
  command: LONG_TIMEOUT_MS,
  connect: LONG_TIMEOUT_MS,
  heartbeat: 5000,
}

/** `settings` with timeouts for Entra and for connections that a busy machine needs, unless a test set its own. */
export function withLongTimeouts(settings: Settings): Settings {
  const longer = (timeout: number): number => (timeout === DEFAULT_TIMEOUT_MS ? LONG_TIMEOUT_MS : timeout)
  return {
    ...settings,
    targets: settings.targets.map((target) => ({
      ...target,
      tokenTimeout: longer(target.tokenTimeout),
      connectTimeout: longer(target.connectTimeout),
    })),
  }
}
