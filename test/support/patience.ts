import type { Settings } from '../../src/config/schema.ts'
import { LINK_TIMES } from '../../src/replicas/redis-link.ts'
import type { ReplicaTimes } from '../../src/replicas/redis.ts'

const USUAL_TIMEOUT_MS = 5000
const PATIENT_TIMEOUT_MS = 60_000

/** The usual times, but a busy machine may take long for a command, without a replica working alone from then on. */
export const PATIENT_REPLICA_TIMES: ReplicaTimes = {
  ...LINK_TIMES,
  command: PATIENT_TIMEOUT_MS,
  connect: PATIENT_TIMEOUT_MS,
  heartbeat: 5000,
}

/** `settings` that wait as long for Entra and for connections as a busy machine needs, unless a test set a time. */
export function patient(settings: Settings): Settings {
  const longer = (timeout: number): number => (timeout === USUAL_TIMEOUT_MS ? PATIENT_TIMEOUT_MS : timeout)
  return {
    ...settings,
    targets: settings.targets.map((target) => ({
      ...target,
      tokenTimeout: longer(target.tokenTimeout),
      connectTimeout: longer(target.connectTimeout),
    })),
  }
}
