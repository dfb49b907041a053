import type { FastifyRequest } from 'fastify'

import { cacheableReadOf } from '../cache/cacheable-read.ts'
import { identityOf } from '../cache/key.ts'
import { runsAsPerson } from '../config/credential.ts'
import type { Target } from '../config/schema.ts'
import type { OutboundRequest } from '../dynamics/send.ts'
import { AddressTooLong, BodyTooLarge, QueryTooLong } from '../errors.ts'
import { callerIdOf } from '../identity/caller-id.ts'
import { MAX_ADDRESS_CHARACTERS, MAX_BATCHED_ADDRESS_CHARACTERS } from '../odata/address-length.ts'
import { isBatch } from '../odata/batch-path.ts'
import type { BatchOperation } from '../odata/batch.ts'
import { headersWithout } from '../odata/flat-headers.ts'
import { isGuid } from '../odata/guid.ts'
import { isRead } from '../odata/methods.ts'
import { isBesideTheApi } from '../odata/mistaken-path.ts'
import { upstreamObjectLinks } from '../odata/object-links.ts'
import { requestQuery } from '../odata/request-query.ts'
import { addressForm, resourcePathOf, targetAddress } from '../odata/target-address.ts'
import type { AddressForm } from '../odata/target-address.ts'
import type { UrlMap } from '../odata/url-map.ts'
import { effectiveRequest } from '../queries/effective-request.ts'
import { announcesBody } from '../server/request-body.ts'
import { requestBodyRewriter } from './body-rewriting.ts'
import { IDEMPOTENCY_KEY, idempotentCreate, refusePartKey } from './idempotency-key.ts'
import { priorityOf, refusePartPriority } from './priority.ts'
import { linksFor } from './public-base.ts'
import { repeatableAs } from './repeatable.ts'
import { requestHeaders, staysHere } from './request-headers.ts'
import { rowsRequest } from './rows-request.ts'

/** What the requests to one target have in common. */
export interface PreparationOptions {
  readonly target: Target
  /** `/sales`, or empty for a single target. (Fastify would add an option called `prefix` again.) */
  readonly pathPrefix: string
  readonly publicUrl: string | undefined
  readonly trustedProxies: readonly string[]
  readonly bodyLimit: number
  /** Throws when the caller is not allowed to send a part of its `$batch`. */
  readonly authorizePart: (request: FastifyRequest, operation: BatchOperation) => void
  /** Called when all parts of a `$batch` were read and are allowed. */
  readonly batchRead: (request: FastifyRequest) => void
}

/** An outbound request, and what its response needs. */
export interface PreparedRequest {
  readonly outbound: OutboundRequest
  readonly map: UrlMap
  /** How many rows of all pages are wanted at most; `undefined` where the response itself is. */
  readonly limit: number | undefined
}

/** Makes the function that creates the outbound request: the raw path, headers by list, the gateway's own caller id. */
export function requestPreparation(options: PreparationOptions): (request: FastifyRequest) => PreparedRequest {
  const { target, pathPrefix, bodyLimit, authorizePart, batchRead } = options
  const address = targetAddress(target.url.origin + target.url.apiRoot)
  const links = linksFor({ address, prefix: pathPrefix, ...options })
  const { header: emailHeader, idHeader } = target.impersonation
  const userHeaders = [emailHeader, idHeader]
  const forwardedHeaders = requestHeaders(userHeaders)
  // Another person may sign in at any time, and nothing in a request would tell.
  const hasOneIdentity = !runsAsPerson(target.credential)

  return prepare

  function prepare(request: FastifyRequest): PreparedRequest {
    const { raw, exchange, caller, user, tokens, equivalentGet } = request
    const { preferences } = request.head
    const { method, target: requestTarget } = effectiveRequest(request)
    const rawTarget = requestTarget.slice(pathPrefix.length)
    const queryStart = rawTarget.indexOf('?')
    const path = queryStart === -1 ? rawTarget : rawTarget.slice(0, queryStart)
    const form = addressForm(address, path)
    const map = links(raw, form)
    const query = queryStart === -1 ? '' : requestQuery(map, rawTarget.slice(queryStart))
    let headers = forwardedHeaders(raw.rawHeaders, map, exchange.record.trace)
    // The body is part of the address now.
    if (equivalentGet !== undefined) headers = headersWithout(headers, describesBody)
    // With a token of the person, there is no impersonation.
    const callerId = user !== undefined && tokens === undefined ? callerIdOf(user) : undefined
    if (callerId !== undefined) headers.push(callerId[0], callerId[1])
    const { headers: given } = raw
    // The gateway's own ids are GUIDs.
    const isGuidId = given['x-request-id'] === undefined || isGuid(exchange.id)
    if (given['x-ms-client-request-id'] === undefined && isGuidId) {
      headers.push('x-ms-client-request-id', exchange.id)
    }
    const { priority, applied } = priorityOf(given['prefer'] as string | undefined, caller.policy.priority)
    exchange.record.priority = priority
    exchange.preferenceApplied = applied
    const length = given['content-length']
    const hasBody = equivalentGet === undefined && announcesBody(given)
    const upstream = targetPath(upstreamObjectLinks(map, path), form)
    requireLength(method, upstream, query)
    const idempotency =
      given[IDEMPOTENCY_KEY] === undefined
        ? undefined
        : idempotentCreate({
            method,
            headers: given,
            resourcePath: resourcePathOf(address, upstream),
            isDataverse: target.url.product === 'dataverse',
            hasBody,
            user: user === undefined ? '' : callerIdOf(user).join(':'),
            preferences,
          })
    if (length !== undefined && Number(length) > bodyLimit) throw new BodyTooLarge(bodyLimit)
    const writtenParts: BatchOperation[] | undefined = isBatch(path) ? [] : undefined
    const outbound: OutboundRequest = {
      method,
      path: upstream + query,
      headers,
      tokens,
      authorization: undefined,
      body: hasBody ? raw : undefined,
      bodyLength: length === undefined ? undefined : Number(length),
      repeatable: repeatableAs(method, headers),
      fairnessKey: caller.name === 'anybody' ? (user?.systemUserId ?? raw.socket.remoteAddress ?? '') : caller.name,
      priority,
      deadline: preferences.waitSeconds === undefined ? undefined : exchange.started + preferences.waitSeconds * 1000,
      idempotency,
      cacheableRead:
        method === 'GET' && hasOneIdentity
          ? cacheableReadOf(given, preferences, identityOf(callerId, tokens, caller))
          : undefined,
      writtenParts,
      cancellation: exchange.cancellation,
      timeLimit: undefined,
      timings: exchange.timings,
      record: exchange.record,
      transform: hasBody ? bodyRewriter(request, map, path, writtenParts) : undefined,
    }
    const rows = rowsRequest(raw, preferences, outbound)
    return { map, outbound: rows?.outbound ?? outbound, limit: rows?.limit }
  }

  /** The transform of a request's body, which checks the parts of a `$batch`. */
  function bodyRewriter(
    request: FastifyRequest,
    map: UrlMap,
    path: string,
    writtenParts: BatchOperation[] | undefined,
  ): OutboundRequest['transform'] {
    return requestBodyRewriter(map, path, request.raw.headers, {
      userHeaders,
      staysHere,
      onPart: (operation) => {
        refusePartKey(operation.part, operation.headers)
        refusePartPriority(operation.part, operation.headers)
        authorizePart(request, operation)
        if (!isRead(operation.method)) writtenParts?.push(operation)
      },
      onEnd: () => batchRead(request),
    })
  }

  /** A read of the Web API that is too long for an address goes inside a `$batch`, which takes twice as much. */
  function requireLength(method: string, path: string, query: string): void {
    const length = path.length + query.length
    if (length <= MAX_ADDRESS_CHARACTERS) return
    const isBatchable = isRead(method) && method !== 'OPTIONS' && target.url.product === 'dataverse'
    if (!isBatchable || resourcePathOf(address, path) === undefined) throw new AddressTooLong()
    if (length > MAX_BATCHED_ADDRESS_CHARACTERS) throw new QueryTooLong()
  }

  /** The outbound path: a path of the target's own is unchanged, any other is below the API root. */
  function targetPath(path: string, form: AddressForm): string {
    if (form === 'long' || (target.url.product === 'dataverse' && isBesideTheApi(path))) return path
    return address.apiRoot + (path === '' ? '/' : path)
  }
}

function describesBody(name: string): boolean {
  return name.startsWith('content-')
}
