import type { Target } from '../config/schema.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../dynamics/send.ts'
import { NotInMemory } from '../errors.ts'
import { isFile } from '../odata/file-path.ts'
import { isRead } from '../odata/methods.ts'
import { targetAddress } from '../odata/target-address.ts'
import type { SharedState } from '../replicas/shared-state.ts'
import { allows, cacheDirectives } from './cache-directives.ts'
import { cacheRules } from './cache-rules.ts'
import type { CacheRule } from './cache-rules.ts'
import type { Effect } from './effects.ts'
import { isDownError, isDownStatus } from './is-down.ts'
import { keyOf } from './key.ts'
import { recordResponse } from './record-response.ts'
import { requestHeader, requestWith } from './request-with.ts'
import type { ResponseMemory } from './response-memory.ts'
import { trackSchema } from './schema-freshness.ts'
import { shareCalls } from './shared-calls.ts'
import { shareVersions } from './shared-versions.ts'
import { responseFrom, confirmedResponse } from './stored-response.ts'
import type { StoredResponse } from './stored-response.ts'
import { createVersions } from './versions.ts'
import type { Dependency } from './versions.ts'
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

/** How long a row is cached, in ms, even if Dynamics answers 304: its ETag does not change with column permissions. */
const MAX_ROW_AGE_MS = 10 * 60_000

/** The oldest definitions that are served while Dynamics is down, in ms. */
const MAX_STALE_MS = 24 * 60 * 60_000

/** Where the response to a read is cached, and the rule that allows it. */
interface CacheSlot {
  readonly rule: CacheRule
  readonly key: string
  readonly dependency: Dependency
  /** The user that it is cached for; `undefined`: for all. */
  readonly identity: string | undefined
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
  const address = targetAddress(target.url.origin + target.url.apiRoot)
  const ruleOf = cacheRules(target, address)
  const ownVersions = createVersions(now)
  const versions = state === undefined ? ownVersions : shareVersions(ownVersions, state)
  const share = shareCalls(name, versions.count)
  const write = watchWrites(send, address, versions)
  const refusals = watchRefusals(send, address, now)
  const read = target.reads.keep.length > 0 || target.reads.revalidate ? refusals.send : send
  onUsersChanged?.(() => versions.changed(ALL_ROWS))
  const schema = trackSchema({
    send,
    apiRoot: target.url.apiRoot,
    isDataverse: target.url.product === 'dataverse',
    versions,
    now,
  })

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
    const rule = ruleOf!(request.path, requestHeader(request, 'prefer'))
    if (rule === undefined) return undefined
    const isForAll = rule.kind === 'rows' && rule.shared
    const key = keyOf(name, request, isForAll ? 'cached for all' : 'cached')
    const dependency = rule.kind === 'schema' ? 'schema' : { entitySet: rule.entitySet }
    const identity = isForAll ? undefined : request.cacheableRead!.identity
    return key === undefined ? undefined : { rule, key, dependency, identity }
  }

  async function answer(request: OutboundRequest, slot: CacheSlot): Promise<UpstreamResponse> {
    const { record, cacheableRead } = request
    const stored = cacheableRead!.mustBeSent ? undefined : validResponse(slot)
    if (stored === undefined || (slot.rule.kind === 'row' && now() - stored.sentAt > MAX_ROW_AGE_MS)) {
      record.cacheStatus = cacheableRead!.mustBeSent ? 'fwd=request' : 'fwd=uri-miss'
      return fetchAndStore(request, slot, undefined)
    }
    if (slot.rule.kind === 'row') return revalidate(request, slot, stored)
    if (slot.rule.kind === 'rows') {
      const freshFor = stored.sentAt + slot.rule.maxAge - now()
      if (freshFor > 0 && isAllowed(request, stored, freshFor)) return hit(request, stored, freshFor)
      record.cacheStatus = freshFor > 0 ? 'fwd=request' : 'fwd=stale'
      return fetchAndStore(request, slot, undefined)
    }
    return answerSchema(request, slot, stored)
  }

  /** The response in memory, unless a change has made it invalid. */
  function validResponse({ key, dependency, identity }: CacheSlot): StoredResponse | undefined {
    const stored = memory.get(key)
    if (stored === undefined || versions.isSuspended(dependency)) return undefined
    if (stored.version === versions.of(dependency) && !refusals.isRefused(stored, dependency, identity)) return stored
    memory.delete(key)
    return undefined
  }

  async function answerSchema(
    request: OutboundRequest,
    slot: CacheSlot,
    stored: StoredResponse,
  ): Promise<UpstreamResponse> {
    const { schemaCache } = target
    const isConfirmable = slot.rule.kind === 'schema' && slot.rule.isConfirmable && isOfCurrentEpoch(stored)
    const freshFor = (): number => confirmedAt(stored, isConfirmable) + schemaCache - now()
    if (freshFor() > 0) {
      schema.checkInBackground(request)
      if (isAllowed(request, stored, freshFor())) return hit(request, stored, freshFor())
      request.record.cacheStatus = 'fwd=request'
      return fetchAndStore(request, slot, undefined)
    }
    if (request.cacheableRead!.directives?.onlyIfCached === true) throw new NotInMemory()
    const isReachable = isConfirmable ? await schema.check(request) : true
    const mayStillServe = validResponse(slot) === stored && (!isConfirmable || isOfCurrentEpoch(stored))
    if (mayStillServe && freshFor() > 0 && isAllowed(request, stored, freshFor())) {
      return hit(request, stored, freshFor())
    }
    const isStaleAllowed = now() - stored.sentAt < MAX_STALE_MS && isAllowed(request, stored, 0)
    const stale = mayStillServe && isStaleAllowed ? stored : undefined
    if (!isReachable && stale !== undefined) return hit(request, stale, freshFor())
    request.record.cacheStatus = 'fwd=stale'
    return fetchAndStore(request, slot, stale)
  }

  function isOfCurrentEpoch({ epoch }: StoredResponse): boolean {
    return epoch !== undefined && epoch === schema.epoch()
  }

  /** The last time at which `stored` is known to have been current. */
  function confirmedAt({ sentAt }: StoredResponse, isConfirmable: boolean): number {
    return isConfirmable ? Math.max(sentAt, schema.confirmedAt()) : sentAt
  }

  /** Asks Dynamics whether the row in memory is still current. */
  async function revalidate(
    request: OutboundRequest,
    slot: CacheSlot,
    stored: StoredResponse,
  ): Promise<UpstreamResponse> {
    const { record } = request
    const response = await fetchAndStore(requestWith(request, 'if-none-match', stored.etag!), slot, undefined)
    const isShared = record.source === 'shared'
    record.cacheStatus = `fwd=stale; fwd-status=${response.status}${isShared ? '; collapsed' : ''}`
    if (response.status !== 304) return response
    const confirmed = confirmedResponse(stored, response)
    response.body.dump()
    if (!isShared) record.source = 'memory'
    return confirmed
  }

  /** Whether the caller's `Cache-Control` allows a response of this age. */
  function isAllowed({ cacheableRead }: OutboundRequest, { sentAt }: StoredResponse, freshFor: number): boolean {
    return allows(cacheableRead!.directives, now() - sentAt, freshFor)
  }

  /** @param stale served if Dynamics is down */
  async function fetchAndStore(
    request: OutboundRequest,
    slot: CacheSlot,
    stale: StoredResponse | undefined,
  ): Promise<UpstreamResponse> {
    if (request.cacheableRead!.directives?.onlyIfCached === true) throw new NotInMemory()
    if (slot.rule.kind === 'schema') schema.checkInBackground(request)
    try {
      const response = await sendShared(requestWith(request, 'accept-encoding', 'gzip'), (sent) =>
        sendAndStore(sent, slot),
      )
      if (stale === undefined || !isDownStatus(response.status)) return response
      response.body.dump()
    } catch (error) {
      if (stale === undefined || !isDownError(error)) throw error
    }
    return hit(request, stale, stale.sentAt + target.schemaCache - now())
  }

  /** Lets the request share a call, unless the caller demands a new response or has a deadline of its own. */
  function sendShared(request: OutboundRequest, own: Send): Promise<UpstreamResponse> {
    if (request.cacheableRead!.mustBeSent || request.deadline !== undefined) return own(request)
    const responding = share(request, own)
    if (request.tokens === undefined) return responding
    return responding.then((response) =>
      request.record.source === 'shared' ? afterAuthorization(request, response) : response,
    )
  }

  async function sendAndStore(
    request: OutboundRequest,
    { key, dependency, rule }: CacheSlot,
  ): Promise<UpstreamResponse> {
    const sentAt = now()
    const version = versions.of(dependency)
    const epoch = schema.epoch()
    const isSuspended = versions.isSuspended(dependency)
    const response = await read(request)
    if (isSuspended || request.cacheableRead!.directives?.noStore === true) return response
    return recordResponse(response, memory.maxBodyBytes, (body) => {
      const isCurrent = versions.of(dependency) === version && !versions.isSuspended(dependency)
      if (isCurrent && (rule.kind !== 'row' || body.etag !== undefined)) {
        memory.set(key, { ...body, sentAt, version, epoch })
      }
    })
  }

  function hit(
    request: OutboundRequest,
    stored: StoredResponse,
    freshFor: number,
  ): UpstreamResponse | Promise<UpstreamResponse> {
    request.record.source = 'memory'
    request.record.cacheStatus = `hit; ttl=${Math.floor(freshFor / 1000)}`
    return afterAuthorization(request, responseFrom(stored, now()))
  }

  /**
   * Checks the caller's token before a `response` that was not fetched with it: a person whose token is refused gets
   * none.
   */
  function afterAuthorization(
    { tokens, cacheableRead }: OutboundRequest,
    response: UpstreamResponse,
  ): UpstreamResponse | Promise<UpstreamResponse> {
    if (tokens === undefined) return response
    return Promise.resolve(tokens.authorization()).then(
      () => response,
      (error: unknown) => {
        refusals.tokenRefused(cacheableRead!.identity)
        response.body.dump()
        throw error
      },
    )
  }
}

/** Whether a read that no cache can answer asks for a cached response only. */
function isOnlyIfCached(request: OutboundRequest): boolean {
  const cacheControl = requestHeader(request, 'cache-control')
  return cacheControl !== undefined && cacheDirectives(cacheControl).onlyIfCached
}
