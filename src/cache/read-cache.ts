import type { Target } from '../config/schema.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../dynamics/send.ts'
import { NotInMemory } from '../errors.ts'
import { isFile } from '../odata/file-path.ts'
import { isRead } from '../odata/methods.ts'
import { targetAddress } from '../odata/target-address.ts'
import type { SharedState } from '../replicas/shared-state.ts'
import { answerDefinitions } from './answer-definitions.ts'
import { cacheDirectives } from './cache-directives.ts'
import { cacheRules } from './cache-rules.ts'
import type { CacheSlot } from './cache-slot.ts'
import type { Effect } from './effects.ts'
import { keyOf } from './key.ts'
import { createMemoryAnswers } from './memory-answers.ts'
import { requestHeader, requestWith } from './request-with.ts'
import type { ResponseMemory } from './response-memory.ts'
import { revalidateRow } from './revalidate-row.ts'
import { trackSchema } from './schema-freshness.ts'
import { shareCalls } from './shared-calls.ts'
import { shareVersions } from './shared-versions.ts'
import type { StoredResponse } from './stored-response.ts'
import { targetResponses } from './target-responses.ts'
import { createVersions } from './versions.ts'
import { watchRefusals } from './watch-refusals.ts'
import { watchWrites } from './watch-writes.ts'

interface Options {
  readonly target: Pick<Target, 'url' | 'schemaCache' | 'reads'>
  /** The name of the target. No other target has the same. */
  readonly name: string
  readonly memory: ResponseMemory
  /** Reports changed definitions to other replicas. Left out where the gateway runs alone. */
  readonly state?: Pick<SharedState, 'publish' | 'subscribe'>
  /** Calls a listener when rows of users have changed. Left out where nobody watches them. */
  readonly onUsersChanged?: ((listener: () => void) => void) | undefined
  /** `performance.now`, or a clock of a test. */
  readonly now?: () => number
}

/** Any rows. */
const ALL_ROWS: Effect = { entitySet: undefined, schema: false, mayBeAction: false }

/**
 * Answers reads from memory, or with the response to an identical call that is in progress. All other requests are sent
 * with `send`. Responses that a write may have changed are dropped.
 */
export function cacheReads(
  send: Send,
  { target, name, memory, state, onUsersChanged, now = () => performance.now() }: Options,
): Send {
  const { apiRoot, origin, product } = target.url
  const { reads, schemaCache } = target
  const address = targetAddress(origin + apiRoot)
  const ruleOf = cacheRules(target, address)
  const ownVersions = createVersions(now)
  const versions = state === undefined ? ownVersions : shareVersions(ownVersions, state)
  const share = shareCalls(name, versions.count)
  const write = watchWrites(send, address, versions)
  const refusals = watchRefusals(send, address, now)
  const read = reads.keep.length > 0 || reads.revalidate ? refusals.send : send
  onUsersChanged?.(() => versions.changed(ALL_ROWS))
  const schema = trackSchema({ send, apiRoot, isDataverse: product === 'dataverse', versions, now })
  const { find, sendAndStore } = targetResponses({ memory, versions, refusals, schema, read, now })
  const answers = createMemoryAnswers(refusals, now)
  const definitions = answerDefinitions({ schema, schemaCache, answers, find, fetchAndStore, now })

  return (request) => {
    const { cacheableRead, record, path } = request
    if (cacheableRead === undefined || isFile(path)) {
      if (!isRead(request.method)) return write(request)
      return isOnlyIfCached(request) ? Promise.reject(new NotInMemory()) : send(request)
    }
    const slot = ruleOf === undefined ? undefined : slotOf(request)
    if (slot !== undefined) return answer(request, slot)
    if (cacheableRead.directives?.onlyIfCached === true) return Promise.reject(new NotInMemory())
    if (cacheableRead.mustBeSent) {
      record.cacheStatus = 'fwd=request'
      return read(request)
    }
    return sendShared(request, read)
  }

  function slotOf(request: OutboundRequest): CacheSlot | undefined {
    const rule = ruleOf!(request)
    if (rule === undefined) return undefined
    const isForAll = rule.kind === 'rows' && rule.shared
    const key = keyOf(name, request, isForAll ? 'cached for all' : 'cached')
    const dependency = rule.kind === 'schema' ? 'schema' : { entitySet: rule.entitySet }
    const identity = isForAll ? undefined : request.cacheableRead!.identity
    return key === undefined ? undefined : { rule, key, dependency, identity }
  }

  function answer(request: OutboundRequest, slot: CacheSlot): Promise<UpstreamResponse> {
    const { mustBeSent } = request.cacheableRead!
    const stored = mustBeSent ? undefined : find(slot)
    if (stored === undefined) {
      request.record.cacheStatus = mustBeSent ? 'fwd=request' : 'fwd=uri-miss'
      return fetchAndStore(request, slot)
    }
    const { rule } = slot
    if (rule.kind === 'schema') return definitions(request, slot, stored, rule.isConfirmable)
    if (rule.kind === 'row') return revalidateRow(request, slot, stored, now() - stored.sentAt, fetchAndStore)
    return answerRows(request, slot, stored, stored.sentAt + rule.maxAge - now())
  }

  /** @param freshFor how long the rows in memory stay fresh, in ms */
  async function answerRows(
    request: OutboundRequest,
    slot: CacheSlot,
    stored: StoredResponse,
    freshFor: number,
  ): Promise<UpstreamResponse> {
    if (freshFor > 0 && answers.isAllowed(request, stored, freshFor)) return answers.hit(request, stored, freshFor)
    request.record.cacheStatus = freshFor > 0 ? 'fwd=request' : 'fwd=stale'
    return fetchAndStore(request, slot)
  }

  /** Sends the request, and stores the response. */
  function fetchAndStore(request: OutboundRequest, slot: CacheSlot): Promise<UpstreamResponse> {
    if (request.cacheableRead!.directives?.onlyIfCached === true) return Promise.reject(new NotInMemory())
    if (slot.rule.kind === 'schema') schema.checkInBackground(request)
    return sendShared(requestWith(request, 'accept-encoding', 'gzip'), (sent) => sendAndStore(sent, slot))
  }

  /** Lets the request share a call, unless the caller demands a new response or has a deadline of its own. */
  function sendShared(request: OutboundRequest, own: Send): Promise<UpstreamResponse> {
    if (request.cacheableRead!.mustBeSent || request.deadline !== undefined) return own(request)
    const responding = share(request, own)
    if (request.tokens === undefined) return responding
    return responding.then((response) =>
      request.record.source === 'shared' ? answers.afterAuthorization(request, response) : response,
    )
  }
}

/** Whether a read that no cache can answer asks for a cached response only. */
function isOnlyIfCached(request: OutboundRequest): boolean {
  const cacheControl = requestHeader(request, 'cache-control')
  return cacheControl !== undefined && cacheDirectives(cacheControl).onlyIfCached
}
