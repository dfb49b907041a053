import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

import type { Target } from '../config/schema.ts'
import { header } from '../dynamics/send.ts'
import type { Caller, User } from '../identity/caller.ts'
import { isBatch } from '../odata/batch-path.ts'
import { isGuid } from '../odata/guid.ts'
import { isRead } from '../odata/methods.ts'
import { resourceOf } from '../odata/resource.ts'
import { targetAddress } from '../odata/target-address.ts'
import { effectiveRequest } from '../queries/effective-request.ts'
import type { AuditLine, AuditLog } from './audit-log.ts'

/** A write inside a `$batch`. */
export interface BatchWrite {
  readonly part: number
  readonly method: string
  readonly resourcePath: string
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by `audit` for a write: the writes inside it, if it is a `$batch`. */
    batchWrites: BatchWrite[] | undefined
  }
}

interface Options {
  readonly target: Pick<Target, 'name' | 'url'>
  readonly prefix: string
  readonly auditLog: Pick<AuditLog, 'write'>
}

/** Writes a line for every finished write, including refused ones. */
function audit(app: FastifyInstance, { target, prefix, auditLog }: Options, registered: () => void): void {
  const { name, url } = target
  const address = targetAddress(url.origin + url.apiRoot)
  app.decorateRequest('batchWrites')
  app.addHook('onRequest', (request, reply, done) => {
    if (!isRead(effectiveRequest(request).method)) {
      request.batchWrites = []
      const { resourcePath } = resourceOf(address, request.originalUrl.slice(prefix.length))
      reply.raw.once('close', () => auditLog.write(auditLines(request, reply, name, resourcePath)))
    }
    done()
  })
  registered()
}

export default fp(audit, { name: 'audit', fastify: '5.x' })

/** Records a part of a `$batch` for the audit. */
export function noteBatchWrite({ batchWrites }: FastifyRequest, { part, method, resourcePath }: BatchWrite): void {
  if (!isRead(method)) batchWrites?.push({ part, method, resourcePath })
}

/** The lines of a finished write: one, or one for each write inside a `$batch`. */
function auditLines(
  { exchange, caller, user, method, batchWrites = [] }: FastifyRequest,
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
    caller: caller.name,
    user: user?.systemUserId,
    userObjectId: user?.objectId,
    signedInObjectId: signedInBeside(caller, user),
    target,
    // Proxies log 499 for callers that disconnected.
    status: raw.headersSent ? raw.statusCode : 499,
    code: exchange.code,
  }
  if (!isBatch(resourcePath)) return [{ ...line, method, ...rowOf(resourcePath, headers), part: undefined }]
  return batchWrites.map(({ part, method, resourcePath }) => ({ ...line, method, ...rowOf(resourcePath, []), part }))
}

/** The person whose token came with a request that runs as another user. */
function signedInBeside({ user: own }: Caller, user: User | undefined): string | undefined {
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
