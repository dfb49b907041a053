import type { Target } from '../config/schema.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../dynamics/send.ts'
import { isFile } from '../odata/file-path.ts'
import { isRead } from '../odata/methods.ts'
import { targetAddress } from '../odata/target-address.ts'
import type { SharedState } from '../replicas/shared-state.ts'
import { isDownError, isDownStatus } from './is-down.ts'
import { keptReads } from './kept-reads.ts'
import type { KeptRead } from './kept-reads.ts'
import { keyOf } from './key.ts'
import { recorded } from './recording.ts'
import { requestHeader, requestWith } from './request-with.ts'
import type { ResponseMemory } from './response-memory.ts'
import { watchSchema } from './schema-proof.ts'
import { shareCalls } from './shared-calls.ts'
import { shareVersions } from './shared-versions.ts'
import { responseFrom, confirmedResponse } from './stored-response.ts'
import type { StoredResponse } from './stored-response.ts'
import { createVersions } from './versions.ts'
import type { Subject } from './versions.ts'
import { watchWrites } from './watch-writes.ts'

interface Options {
  readonly target: Pick<Target, 'url' | 'schemaCache' | 'reads'>
  /** A name that no other target has. */
  readonly name: string
  readonly memory: ResponseMemory
  /** Tells other replicas of changed definitions; left out: there are none. */
  readonly state?: Pick<SharedState, 'publish' | 'subscribe'>
  /** `performance.now`, or a clock of a test. */
  readonly now?: () => number
}

/** How long a row is kept for which Dynamics answers 304: changes of who may see which column do not show in its ETag. */
const MAX_ROW_AGE_MS = 10 * 60_000

/** How old definitions may be while Dynamics is down, in ms. */
const MAX_STALE_MS = 24 * 60 * 60_000

/** A read whose response may be kept. */
interface Kept {
  readonly read: KeptRead
  readonly key: string
  readonly subject: Subject
}

/**
 * Answers reads from memory, or by a call that somebody else makes already, where that gives what a call of their own
 * would; sends all other requests with `send`, and drops what writes may have changed.
 */
export function cacheReads(send: Send, { target, name, memory, state, now = () => performance.now() }: Options): Send {
  const address = targetAddress(target.url.origin + target.url.apiRoot)
  const keptRead = keptReads(target, address)
  const own = createVersions(now)
  const versions = state === undefined ? own : shareVersions(own, state)
  const share = shareCalls(name, versions.count)
  const write = watchWrites(send, address, versions)
  const schema = watchSchema({
    send,
    apiRoot: target.url.apiRoot,
    isDataverse: target.url.product === 'dataverse',
    versions,
    now,
  })

  return (request) => {
    const { reading, record, path } = request
    if (reading === undefined || isFile(path)) return isRead(request.method) ? send(request) : write(request)
    const kept = keptRead === undefined ? undefined : keptOf(request)
    if (kept !== undefined) return answered(request, kept)
    if (reading.mustBeSent) {
      record.cacheStatus = 'fwd=request'
      return send(request)
    }
    return shared(request, send)
  }

  function keptOf(request: OutboundRequest): Kept | undefined {
    const read = keptRead!(request.path, requestHeader(request, 'prefer'))
    if (read === undefined) return undefined
    const key = keyOf(name, request, read.kind === 'rows' && read.shared ? 'kept for all' : 'kept')
    const subject = read.kind === 'schema' ? 'schema' : { entitySet: read.entitySet }
    return key === undefined ? undefined : { read, key, subject }
  }

  async function answered(request: OutboundRequest, kept: Kept): Promise<UpstreamResponse> {
    const { record, reading } = request
    const stored = reading!.mustBeSent ? undefined : usable(kept)
    if (stored === undefined || (kept.read.kind === 'row' && now() - stored.sentAt > MAX_ROW_AGE_MS)) {
      record.cacheStatus = reading!.mustBeSent ? 'fwd=request' : 'fwd=uri-miss'
      return fetched(request, kept, undefined)
    }
    if (kept.read.kind === 'row') return revalidated(request, kept, stored)
    if (kept.read.kind === 'rows') {
      const fresh = stored.sentAt + kept.read.maxAge - now()
      if (fresh > 0) return hit(request, stored, fresh)
      record.cacheStatus = 'fwd=stale'
      return fetched(request, kept, undefined)
    }
    return definitions(request, kept, stored)
  }

  /** What is in memory, if nothing has changed it since. */
  function usable({ key, subject }: Kept): StoredResponse | undefined {
    const stored = memory.get(key)
    if (stored === undefined || versions.isSuspended(subject)) return undefined
    if (stored.version === versions.of(subject)) return stored
    memory.delete(key)
    return undefined
  }

  async function definitions(request: OutboundRequest, kept: Kept, stored: StoredResponse): Promise<UpstreamResponse> {
    const { schemaCache } = target
    const isProvable = kept.read.kind === 'schema' && kept.read.provable && isOfThisEpoch(stored)
    const freshFor = (): number => provenAt(stored, isProvable) + schemaCache - now()
    if (freshFor() > 0) {
      schema.checkLater(request)
      return hit(request, stored, freshFor())
    }
    const isReachable = isProvable ? await schema.check(request) : true
    const mayStillServe = usable(kept) === stored && (!isProvable || isOfThisEpoch(stored))
    if (mayStillServe && freshFor() > 0) return hit(request, stored, freshFor())
    const spare = mayStillServe && now() - stored.sentAt < MAX_STALE_MS ? stored : undefined
    if (!isReachable && spare !== undefined) return hit(request, spare, freshFor())
    request.record.cacheStatus = 'fwd=stale'
    return fetched(request, kept, spare)
  }

  function isOfThisEpoch({ epoch }: StoredResponse): boolean {
    return epoch !== undefined && epoch === schema.epoch()
  }

  /** Until when nothing had changed that `stored` depends on. */
  function provenAt({ sentAt }: StoredResponse, isProvable: boolean): number {
    return isProvable ? Math.max(sentAt, schema.provenAt()) : sentAt
  }

  /** Asks Dynamics whether the row is still the one in memory. */
  async function revalidated(request: OutboundRequest, kept: Kept, stored: StoredResponse): Promise<UpstreamResponse> {
    const { record } = request
    const response = await fetched(requestWith(request, 'if-none-match', stored.etag!), kept, undefined)
    const isShared = record.source === 'shared'
    record.cacheStatus = `fwd=stale; fwd-status=${response.status}${isShared ? '; collapsed' : ''}`
    if (response.status !== 304) return response
    const confirmed = confirmedResponse(stored, response)
    response.body.dump()
    if (!isShared) record.source = 'memory'
    return confirmed
  }

  /** @param spare is answered with where Dynamics is down */
  async function fetched(
    request: OutboundRequest,
    kept: Kept,
    spare: StoredResponse | undefined,
  ): Promise<UpstreamResponse> {
    if (kept.read.kind === 'schema') schema.checkLater(request)
    try {
      const response = await shared(requestWith(request, 'accept-encoding', 'gzip'), (sent) => sendAndKeep(sent, kept))
      if (spare === undefined || !isDownStatus(response.status)) return response
      response.body.dump()
    } catch (error) {
      if (spare === undefined || !isDownError(error)) throw error
    }
    return hit(request, spare, spare.sentAt + target.schemaCache - now())
  }

  /** Lets the request share a call, unless that could be an older one than it wants, or end sooner than it may take. */
  function shared(request: OutboundRequest, own: Send): Promise<UpstreamResponse> {
    if (request.reading!.mustBeSent || request.deadline !== undefined) return own(request)
    const answering = share(request, own)
    if (request.tokens === undefined) return answering
    return answering.then((response) => (request.record.source === 'shared' ? authorized(request, response) : response))
  }

  async function sendAndKeep(request: OutboundRequest, { key, subject, read }: Kept): Promise<UpstreamResponse> {
    const sentAt = now()
    const version = versions.of(subject)
    const epoch = schema.epoch()
    const isSuspended = versions.isSuspended(subject)
    const response = await send(request)
    if (isSuspended) return response
    return recorded(response, memory.maxBodyBytes, (body) => {
      const isCurrent = versions.of(subject) === version && !versions.isSuspended(subject)
      if (isCurrent && (read.kind !== 'row' || body.etag !== undefined)) {
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
    return authorized(request, responseFrom(stored, now()))
  }
}

/** `response`, which no token was sent for: a person whose token is no longer exchanged must not get it. */
function authorized(
  { tokens }: OutboundRequest,
  response: UpstreamResponse,
): UpstreamResponse | Promise<UpstreamResponse> {
  if (tokens === undefined) return response
  return Promise.resolve(tokens.authorization()).then(
    () => response,
    (error: unknown) => {
      response.body.dump()
      throw error
    },
  )
}
