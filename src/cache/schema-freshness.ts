import { Cancellation } from '../dynamics/cancellation.ts'
import { internalRead } from '../dynamics/internal-read.ts'
import { lookupRecord } from '../dynamics/request-record.ts'
import type { OutboundRequest, Send } from '../dynamics/send.ts'
import { changesPath, readChanges } from './metadata-changes.ts'
import type { Versions } from './versions.ts'

/** Whether the definitions of a target have changed. */
export interface SchemaFreshness {
  /**
   * A number that grows when the definitions have changed; `undefined` while Dynamics has given no stamp. Each later
   * check without a change confirms the responses that were requested in the current epoch.
   */
  readonly epoch: () => number | undefined
  /** The start of the last successful check, by `performance.now()`: responses of the current epoch were valid then. */
  readonly confirmedAt: () => number
  /** Asks Dynamics in the background, at most once every {@link CHECK_EVERY_MS}. */
  readonly checkInBackground: (cause: OutboundRequest) => void
  /** Asks Dynamics now. Returns `false` if Dynamics cannot be reached. */
  readonly check: (cause: OutboundRequest) => Promise<boolean>
}

/** The shortest time between two checks in the background, in ms. */
const CHECK_EVERY_MS = 30_000

/** The time after a failed check in which callers do not wait for another one, in ms. */
const RETRY_AFTER_MS = 5_000

/** What a check needs to know about a target. */
interface Options {
  readonly send: Send
  readonly apiRoot: string
  readonly isDataverse: boolean
  readonly versions: Versions
  /** `performance.now` */
  readonly now: () => number
}

/**
 * Watches the definitions of a target by the stamps of `RetrieveMetadataChanges`. A check runs as the target's own
 * user, or with the tokens of the person whose read caused it.
 */
export function trackSchema({ send, apiRoot, isDataverse, versions, now }: Options): SchemaFreshness {
  let stamp: string | undefined
  let epoch = 0
  let confirmedAt = -Infinity
  let checkedAt = -Infinity
  let failedAt = -Infinity
  let running: Promise<void> | undefined

  function checkOnce(cause: OutboundRequest): Promise<void> {
    return (running ??= runCheck(cause).finally(() => (running = undefined)))
  }

  async function runCheck(cause: OutboundRequest): Promise<void> {
    const started = (checkedAt = now())
    const before = stamp
    try {
      const found = await readChanges(await send(checkRequest(cause, changesPath(apiRoot, before))))
      if (found === 'unreachable') failedAt = now()
      else if (found === 'expired' || found === 'refused') stamp = undefined
      else {
        stamp = found.stamp
        confirmedAt = started
        if (before === undefined) epoch++
        else if (found.hasChanged) {
          epoch++
          versions.schemaChanged()
        }
      }
    } catch {
      // The log of the connection has the reason. The definitions are used for as long as the settings allow.
      failedAt = now()
    }
  }

  return {
    epoch: () => (stamp === undefined ? undefined : epoch),
    confirmedAt: () => confirmedAt,
    checkInBackground(cause) {
      if (isDataverse && now() - checkedAt >= CHECK_EVERY_MS) void checkOnce(cause)
    },
    async check(cause) {
      if (now() - failedAt < RETRY_AFTER_MS) return false
      await checkOnce(cause)
      return failedAt < checkedAt
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
