import { Cancellation } from '../dynamics/cancellation.ts'
import { internalRead } from '../dynamics/internal-read.ts'
import { lookupRecord } from '../dynamics/request-record.ts'
import type { OutboundRequest, Send } from '../dynamics/send.ts'
import { changesPath, readChanges } from './metadata-changes.ts'
import type { Versions } from './versions.ts'

/** What is known of changes of a target's definitions. */
export interface SchemaProof {
  /**
   * Grows when the definitions may have changed; `undefined` while nothing is known of them. A response that was sent for
   * in the present epoch is proven by each later check.
   */
  readonly epoch: () => number | undefined
  /** `performance.now()` at which nothing had changed since this epoch began. */
  readonly provenAt: () => number
  /** Asks Dynamics in the background, at most once in {@link CHECK_EVERY_MS}. */
  readonly checkLater: (occasion: OutboundRequest) => void
  /** Asks Dynamics now, unless it was asked a moment ago; `false` where it cannot be reached. */
  readonly check: (occasion: OutboundRequest) => Promise<boolean>
}

/** How often Dynamics is asked at most, in ms. */
const CHECK_EVERY_MS = 30_000

/** How long a missing response proves nothing, in ms: a caller that waits for a connection each time is not helped. */
const RETRY_AFTER_MS = 5_000

/** What a check needs to know of a target. */
interface Options {
  readonly send: Send
  readonly apiRoot: string
  readonly isDataverse: boolean
  readonly versions: Versions
  /** `performance.now` */
  readonly now: () => number
}

/**
 * Watches the definitions of a target by the stamps of `RetrieveMetadataChanges`. It runs as the target's own user, or
 * with the tokens of the person whose read is the occasion.
 */
export function watchSchema({ send, apiRoot, isDataverse, versions, now }: Options): SchemaProof {
  let stamp: string | undefined
  let epoch = 0
  let provenAt = -Infinity
  let askedAt = -Infinity
  let failedAt = -Infinity
  let running: Promise<void> | undefined

  function ask(occasion: OutboundRequest): Promise<void> {
    return (running ??= look(occasion).finally(() => (running = undefined)))
  }

  async function look(occasion: OutboundRequest): Promise<void> {
    const started = (askedAt = now())
    const before = stamp
    try {
      const found = await readChanges(await send(checkRequest(occasion, changesPath(apiRoot, before))))
      if (found === 'unreachable') failedAt = now()
      else if (found === 'expired' || found === 'refused') stamp = undefined
      else {
        stamp = found.stamp
        provenAt = started
        if (before === undefined) epoch++
        else if (found.hasChanged) {
          epoch++
          versions.schemaChanged()
        }
      }
    } catch {
      // Why it failed is in the log of the connection; the definitions count for as long as they do without a proof.
      failedAt = now()
    }
  }

  return {
    epoch: () => (stamp === undefined ? undefined : epoch),
    provenAt: () => provenAt,
    checkLater(occasion) {
      if (isDataverse && now() - askedAt >= CHECK_EVERY_MS) void ask(occasion)
    },
    async check(occasion) {
      if (now() - failedAt < RETRY_AFTER_MS) return false
      await ask(occasion)
      return failedAt < askedAt
    },
  }
}

function checkRequest({ tokens, record }: OutboundRequest, path: string): OutboundRequest {
  return internalRead({
    path,
    tokens,
    headers: ['accept-encoding', 'gzip'],
    fairnessKey: 'schema',
    cancellation: new Cancellation(),
    record: lookupRecord(record, path),
  })
}
