import type { CacheRule } from './cache-rules.ts'
import type { Dependency } from './versions.ts'

/** Where the response to a read is cached, and the rule that allows it. */
export interface CacheSlot {
  readonly rule: CacheRule
  readonly key: string
  readonly dependency: Dependency
  /** The user that it is cached for; `undefined`: for all. */
  readonly identity: string | undefined
}
