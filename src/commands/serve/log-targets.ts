import type { Logger } from 'pino'

import type { Settings } from '../../config/schema.ts'

/** Writes one line for each target. */
export function logTargets({ targets }: Settings, log: Logger): void {
  for (const { name, url, credential, impersonation } of targets) {
    log.info(
      {
        target: name,
        environment: url.origin,
        apiRoot: url.apiRoot,
        credential: credential.kind,
        impersonation: impersonation.mode,
      },
      'target configured',
    )
  }
}
