import type { OutboundRequest, UpstreamResponse } from '../dynamics/send.ts'
import { NotInMemory } from '../errors.ts'
import type { CacheSlot } from './cache-slot.ts'
import { isDownError, isDownStatus } from './is-down.ts'
import type { MemoryAnswers } from './memory-answers.ts'
import type { SchemaFreshness } from './schema-freshness.ts'
import type { StoredResponse } from './stored-response.ts'

/** The oldest definitions that are served while Dynamics is down, in ms. */
const MAX_STALE_MS = 24 * 60 * 60_000

interface Options {
  readonly schema: SchemaFreshness
  /** How long definitions are used without a check, in ms. */
  readonly schemaCache: number
  readonly answers: Pick<MemoryAnswers, 'hit' | 'isAllowed'>
  /** Finds the response in memory that no change has made invalid. */
  readonly find: (slot: CacheSlot) => StoredResponse | undefined
  /** Sends the request, and stores the response. */
  readonly fetchAndStore: (request: OutboundRequest, slot: CacheSlot) => Promise<UpstreamResponse>
  /** `performance.now` */
  readonly now: () => number
}

/**
 * Answers a read of definitions whose response is in memory.
 *
 * @param isConfirmable whether `RetrieveMetadataChanges` would report a change of this response
 */
export type AnswerDefinitions = (
  request: OutboundRequest,
  slot: CacheSlot,
  stored: StoredResponse,
  isConfirmable: boolean,
) => Promise<UpstreamResponse>

/**
 * Answers reads of definitions from memory while they are fresh: for `schemaCache` after the last time at which they
 * are known to have been current. Later a check confirms them, or they are fetched again. While Dynamics is down, stale
 * ones are served.
 */
export function answerDefinitions({
  schema,
  schemaCache,
  answers,
  find,
  fetchAndStore,
  now,
}: Options): AnswerDefinitions {
  return async (request, slot, stored, isConfirmable) => {
    const isConfirmed = isConfirmable && isOfCurrentEpoch(stored)
    const freshFor = (): number => currentAt(stored, isConfirmed) + schemaCache - now()
    const freshNow = freshFor()
    if (freshNow > 0) {
      schema.checkInBackground(request)
      if (answers.isAllowed(request, stored, freshNow)) return answers.hit(request, stored, freshNow)
      request.record.cacheStatus = 'fwd=request'
      return fetchAndStore(request, slot)
    }
    if (request.cacheableRead!.directives?.onlyIfCached === true) throw new NotInMemory()
    const isReachable = isConfirmed ? await schema.check(request) : true
    const mayStillServe = find(slot) === stored && (!isConfirmed || isOfCurrentEpoch(stored))
    if (mayStillServe && freshFor() > 0 && answers.isAllowed(request, stored, freshFor())) {
      return answers.hit(request, stored, freshFor())
    }
    const isStaleAllowed =
      mayStillServe && now() - stored.sentAt < MAX_STALE_MS && answers.isAllowed(request, stored, 0)
    if (!isReachable && isStaleAllowed) return answers.hit(request, stored, freshFor())
    request.record.cacheStatus = 'fwd=stale'
    return isStaleAllowed ? fetchUnlessDown(request, slot, stored) : fetchAndStore(request, slot)
  }

  function isOfCurrentEpoch({ epoch }: StoredResponse): boolean {
    return epoch !== undefined && epoch === schema.epoch()
  }

  /** The last time at which `stored` is known to have been current. */
  function currentAt({ sentAt }: StoredResponse, isConfirmed: boolean): number {
    return isConfirmed ? Math.max(sentAt, schema.confirmedAt()) : sentAt
  }

  /** @param stale served if Dynamics is down */
  async function fetchUnlessDown(
    request: OutboundRequest,
    slot: CacheSlot,
    stale: StoredResponse,
  ): Promise<UpstreamResponse> {
    try {
      const response = await fetchAndStore(request, slot)
      if (!isDownStatus(response.status)) return response
      response.body.dump()
    } catch (error) {
      if (!isDownError(error)) throw error
    }
    return answers.hit(request, stale, stale.sentAt + schemaCache - now())
  }
}
