import type { Proxies } from './proxies.ts'
import { group } from './setting.ts'
import type { Read } from './setting.ts'
import { access } from './settings/access.ts'
import { cacheMemory } from './settings/caching.ts'
import { callers } from './settings/callers.ts'
import { inboundLimits } from './settings/inbound-limits.ts'
import { listening } from './settings/listening.ts'
import { observability } from './settings/observability.ts'
import { ownUrl } from './settings/own-url.ts'
import { anybody } from './settings/policy.ts'
import { redis } from './settings/redis.ts'
import { shutdown } from './settings/shutdown.ts'
import { target } from './settings/target.ts'
import { tls } from './settings/tls.ts'
import type { TracingSettings } from './tracing.ts'

/**
 * All settings, in the order of their documentation. `settings/` has type, check, default and description of each, one
 * file a subject. Environment variables describe one target, a file any number.
 */
export const schema = group("The gateway's settings.", {
  ...listening,
  ...access,
  ...ownUrl,
  ...shutdown,
  ...inboundLimits,
  ...observability,
  tls,
  redis,
  cacheMemory,
  anybody,
  callers,
  targets: { type: 'array', description: 'The environments that the gateway forwards to.', items: target },
})

/** What is set, and what the usual variables say of the network's proxies and of tracing. */
export type Settings = Read<typeof schema> & {
  readonly proxies: Proxies
  readonly tracing: TracingSettings | undefined
}
export type Target = Settings['targets'][number]
