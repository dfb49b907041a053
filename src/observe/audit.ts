import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

import type { Target } from '../config/schema.ts'
import { header } from '../dynamics/send.ts'
import type { Caller, User } from '../identity/caller.ts'
import { isBatch } from '../odata/batch-path.ts'
import { isGuid } from '../odata/guid.ts'
import { isRead } from '../odata/methods.ts'
import { resourcePathOf, targetAddress, upstreamPath } from '../odata/target-address.ts'
import { hasQueryInBody } from '../queries/body-query.ts'
import type { AuditLine, AuditLog } from './audit-log.ts'

/** A write inside a `$batch`. */
export interface BatchWrite {
  readonly part: number
  readonly method: string
  readonly resourcePath: string
}

/** What was read of a `$batch`. */
interface AuditedBatch {
  readonly writes: BatchWrite[]
  isComplete: boolean
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by `audit` for a write, which may be a `$batch`. */
    auditedBatch: AuditedBatch | undefined
  }
}

/** A target, and the path below which callers reach it: `/sales`, or an empty string. */
interface AuditedTarget {
  readonly target: Pick<Target, 'name' | 'url'>
  readonly prefix: string
}

interface Options {
  readonly targets: readonly AuditedTarget[]
  readonly auditLog: Pick<AuditLog, 'write'>
}

/** Writes a line for every finished write. Registered before what refuses requests, so that refused ones have one, too. */
function audit(app: FastifyInstance, { targets, auditLog }: Options, registered: () => void): void {
  const byRoute = new Map(
    targets.map(({ target: { name, url }, prefix }) => {
      return [prefix === '' ? '/' : prefix, { name, prefix, address: targetAddress(url.origin + url.apiRoot) }]
    }),
  )
  app.decorateRequest('auditedBatch')
  app.addHook('onRequest', (request, reply, done) => {
    const { method, originalUrl, raw } = request
    // The router's address is that of the target.
    const auditedTarget = byRoute.get(raw.url!)
    if (auditedTarget === undefined || isRead(method) || hasQueryInBody(request)) return done()
    const { name, prefix, address } = auditedTarget
    const [path = ''] = originalUrl.slice(prefix.length).split('?', 1)
    // An address that is not a path is refused.
    const resourcePath = resourcePathOf(address, upstreamPath(address, path)) ?? ''
    request.auditedBatch = { writes: [], isComplete: false }
    // Before the exchange is over, which releases the response's headers.
    reply.raw.prependOnceListener('close', () => auditLog.write(auditLines(request, reply, name, resourcePath)))
    done()
  })
  registered()
}

export default fp(audit, { name: 'audit', fastify: '5.x' })

/** Records a part of a `$batch` for the audit. */
export function noteBatchWrite({ auditedBatch }: FastifyRequest, { part, method, resourcePath }: BatchWrite): void {
  if (!isRead(method)) auditedBatch?.writes.push({ part, method, resourcePath })
}

/** Records that all parts of a `$batch` were read. */
export function noteBatchEnd({ auditedBatch }: FastifyRequest): void {
  if (auditedBatch !== undefined) auditedBatch.isComplete = true
}

/**
 * The lines of a finished write: one, or one for each write inside a `$batch`. A batch that was not read completely has
 * one of its own before them, for nobody knows what else it would have written.
 */
function auditLines(
  { exchange, caller, user, method, auditedBatch }: FastifyRequest,
  { raw }: FastifyReply,
  target: string | undefined,
  resourcePath: string,
): readonly AuditLine[] {
  const { responseHeaders: headers = [] } = exchange
  const line = {
    time: new Date().toISOString(),
    requestId: exchange.id,
    dynamicsRequestId: (header({ headers }, 'req_id') ?? header({ headers }, 'x-ms-service-request-id'))?.slice(
      0,
      MAX_FIELD_LENGTH,
    ),
    // Requests are refused before it is known who calls.
    caller: (caller as Caller | undefined)?.name ?? 'unknown',
    user: user?.systemUserId,
    userObjectId: user?.objectId,
    signedInObjectId: signedInBeside(caller, user),
    target,
    // Proxies log 499 for callers that disconnected.
    status: exchange.status ?? (raw.headersSent ? raw.statusCode : 499),
    code: exchange.code,
  }
  if (!isBatch(resourcePath)) return [{ ...line, method, ...rowOf(resourcePath, headers), part: undefined }]
  const { writes, isComplete } = auditedBatch!
  const ofBatch = { ...line, method, entitySet: '$batch', recordId: undefined, part: undefined }
  const ofParts = writes.map(({ part, method, resourcePath }) => ({
    ...line,
    method,
    ...rowOf(resourcePath, []),
    part,
  }))
  return isComplete ? ofParts : [ofBatch, ...ofParts]
}

/** The person whose token came with a request that runs as another user. */
function signedInBeside(caller: Caller | undefined, user: User | undefined): string | undefined {
  const own = caller?.user
  if (own === undefined || !('onBehalfOf' in own)) return undefined
  return own.onBehalfOf.objectId === user?.objectId?.toLowerCase() ? undefined : own.onBehalfOf.objectId
}

/**
 * The entity set (or function, or action) at the start of a path, and the row: from Dynamics' response, or from the
 * path.
 */
function rowOf(resourcePath: string, headers: readonly Buffer[]): Pick<AuditLine, 'entitySet' | 'recordId'> {
  const [, entitySet, , key] = /^\/?([^/(]*)(\(((?:[^)']|'[^']*')*)\))?/.exec(
    decoded(resourcePath.slice(0, MAX_FIELD_LENGTH)),
  )!
  const entityId = /\(([^()]{36})\)$/.exec(header({ headers }, 'odata-entityid') ?? '')?.[1] ?? ''
  return { entitySet: entitySet!, recordId: isGuid(entityId) ? entityId : key === '' ? undefined : key }
}

const MAX_FIELD_LENGTH = 500

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
