import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

import { cacheableReadOf } from '../cache/cacheable-read.ts'
import { identityOf } from '../cache/key.ts'
import { runsAsPerson } from '../config/credential.ts'
import type { Target } from '../config/schema.ts'
import { errorCodeIn } from '../dynamics/error-code.ts'
import { bodyError } from '../dynamics/failures.ts'
import { withRetryAdvice } from '../dynamics/retry-advice.ts'
import type { UpstreamResponse, OutboundRequest, ResponseBody, Send } from '../dynamics/send.ts'
import { AddressTooLong, BadBatch, BatchTooLarge, BodyTooLarge, NotACollection, QueryTooLong } from '../errors.ts'
import type { Refusal } from '../observe/refusals.ts'
import { MAX_ADDRESS_CHARACTERS, MAX_BATCHED_ADDRESS_CHARACTERS } from '../odata/address-length.ts'
import { isBatch } from '../odata/batch-path.ts'
import { MalformedBatch, OversizedBatch, RefusedPart } from '../odata/batch.ts'
import type { BatchOperation } from '../odata/batch.ts'
import { isJson } from '../odata/content-type.ts'
import { isGuid } from '../odata/guid.ts'
import type { OnForeign } from '../odata/header-links.ts'
import { isRead } from '../odata/methods.ts'
import { isBesideTheApi } from '../odata/mistaken-path.ts'
import { upstreamObjectLinks } from '../odata/object-links.ts'
import { requestQuery } from '../odata/request-query.ts'
import { addressForm, resourcePathOf, targetAddress } from '../odata/target-address.ts'
import type { AddressForm } from '../odata/target-address.ts'
import type { UrlMap } from '../odata/url-map.ts'
import { decode } from '../outbound/content-coding.ts'
import { effectiveRequest } from '../queries/effective-request.ts'
import { ACCEPT_QUERY } from '../queries/query-text.ts'
import { addHeaders } from '../server/added-headers.ts'
import { CALLER_METHODS, KNOWS_QUERY } from '../server/caller-methods.ts'
import { noteError } from '../server/exchange.ts'
import type { Exchange } from '../server/exchange.ts'
import { announcesBody, awaitsContinue } from '../server/request-body.ts'
import { callerIdOf } from '../users/directory.ts'
import { rowsHead, writeAllPages } from './all-pages.ts'
import { requestBodyRewriter, responseBodyRewriter } from './body-rewriting.ts'
import { withFirstBytes } from './first-bytes.ts'
import { pageDetector, refuseForeign } from './foreign-response.ts'
import { IDEMPOTENCY_KEY, idempotentCreate, refusePartKey } from './idempotency-key.ts'
import { priorityOf, refusePartPriority } from './priority.ts'
import { linksFor } from './public-base.ts'
import { repeatableAs } from './repeatable.ts'
import { accepts, requestHeaders, staysHere } from './request-headers.ts'
import { responseHead } from './response-headers.ts'
import type { ResponseHead } from './response-headers.ts'
import { rowsRequest } from './rows-request.ts'
import { writeResponse } from './write-response.ts'

export interface ProxyOptions {
  readonly target: Target
  /** `/sales`, or empty for a single target. (Fastify would add an option called `prefix` again.) */
  readonly pathPrefix: string
  readonly send: Send
  readonly publicUrl: string | undefined
  readonly trustedProxies: readonly string[]
  readonly bodyLimit: number
  /** Whether the gateway is stopping, so that connections must not be kept alive. */
  readonly stopping: () => boolean
  /** Called with refusals of Dynamics. */
  readonly explain: (refusal: Refusal) => void
  /** Called with the host of a removed link in response headers. */
  readonly foreign: OnForeign
  /** Throws when the caller is not allowed to send a part of its `$batch`. */
  readonly authorizePart: (request: FastifyRequest, operation: BatchOperation) => void
  /** Called when all parts of a `$batch` were read and are allowed. */
  readonly batchRead: (request: FastifyRequest) => void
}

/** Bytes of a decoded error body that are inspected. */
const MAX_ERROR_BYTES = 64 * 1024

/** Headers that describe a body. */
const BODY_HEADERS = /^content-/i

/** Forwards every request below a prefix to one target, and returns its response. */
export async function proxy(app: FastifyInstance, options: ProxyOptions): Promise<void> {
  const { target, pathPrefix, send, bodyLimit, stopping, authorizePart, batchRead, explain, foreign } = options
  const address = targetAddress(target.url.origin + target.url.apiRoot)
  const links = linksFor({ address, prefix: pathPrefix, ...options })
  const { header: emailHeader, idHeader } = target.impersonation
  const userHeaders = [emailHeader, idHeader]
  const outward = requestHeaders(userHeaders)
  // Another person may sign in at any time, and nothing in a request would tell.
  const hasOneIdentity = !runsAsPerson(target.credential)

  // The last hook of a request sends it, before Fastify's validation and the handler of http-proxy, which would parse
  // the address three times, to find out whether it leaves the target. The door has checked that byte for byte.
  app.addHook('onRequest', (request, reply, _neverCalled) => {
    const prepared = prepare(request)
    const { outbound } = prepared
    // The caller waits for 100 Continue before it sends its body.
    if (outbound.body !== undefined && awaitsContinue(request.raw)) reply.raw.writeContinue()
    send(outbound).then(
      (response) => {
        try {
          respond(response, request, reply, prepared)
        } catch (cause) {
          // The response head must not be forwarded: nothing has been sent yet.
          response.body.dump()
          refuse(reply, cause, outbound)
        }
      },
      (error: unknown) => void reply.send(refusalOf(error)),
    )
  })
  await app.register(httpProxy, {
    // Never used, and harmless if it were.
    upstream: 'http://gateway.invalid',
    httpMethods: [...CALLER_METHODS],
    routes: ['/'],
  })

  /** Creates the outbound request: constant origin, the raw path, headers by list, our own caller id. */
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
    let headers = outward(raw.rawHeaders, map, exchange.record.trace)
    // The body is part of the address now.
    if (equivalentGet !== undefined) headers = withoutBodyHeaders(headers)
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
            wantsRow: preferences.wantsRow,
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
    const rows = rowsRequest(raw, outbound)
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

  /** Sends the response to the caller. */
  function respond(
    response: UpstreamResponse,
    request: FastifyRequest,
    reply: FastifyReply,
    prepared: PreparedRequest,
  ): void {
    const { exchange } = request
    const { outbound, map, limit } = prepared
    const { method, path } = outbound
    exchange.responseHeaders = response.headers
    const head = responseHead(response, map, foreign)
    const { status, headers, contentEncoding, coding: coded } = head
    exchange.record.dynamicsRequestId = head.requestId
    refuseForeign(response, head, path, target)
    const body = status < 400 ? response.body : explained(response.body, head, request)
    const isOfRows = limit !== undefined && status === 200
    if (isOfRows && !isJson(head.contentType)) throw new NotACollection('this address has none')
    if (isOfRows && method !== 'HEAD') return writeRows(response, headers, exchange, reply, prepared, limit)
    const transform = responseBodyRewriter(map, head, outbound, request.head.preferences, foreign)
    // The gateway may have asked for a coding that the caller does not accept, to keep the response.
    const mayPassCoding =
      coded === undefined || outbound.cacheableRead === undefined || accepts(outbound.headers, coded)
    const coding = transform === undefined && mayPassCoding ? undefined : coded
    if (contentEncoding !== undefined && coding === undefined) headers.push('content-encoding', contentEncoding)
    if (method === 'OPTIONS' && KNOWS_QUERY) headers.push('accept-query', ACCEPT_QUERY)
    addHeaders(headers, exchange)
    if (isRead(method)) headers.push('cache-status', `dynamics-gateway; ${exchange.record.cacheStatus}`)
    if (exchange.preferenceApplied !== undefined) headers.push('preference-applied', exchange.preferenceApplied)
    if (stopping()) headers.push('connection', 'close')
    writeResponse(body, reply.raw, {
      status,
      headers: isOfRows ? rowsHead(headers) : headers,
      contentLength: isOfRows ? undefined : head.contentLength,
      hasBody: method !== 'HEAD' && status !== 204 && status !== 304,
      coding,
      transform,
      pageDetector: pageDetector(head, path),
      refuse: bodyRefusal(body, reply, outbound),
    })
    measure(exchange)
  }

  /** Sends the rows of all pages, of which `response` is the first. */
  function writeRows(
    response: UpstreamResponse,
    headers: readonly string[],
    exchange: Exchange,
    reply: FastifyReply,
    { outbound, map }: PreparedRequest,
    limit: number,
  ): void {
    const head = rowsHead(headers)
    addHeaders(head, exchange)
    if (stopping()) head.push('connection', 'close')
    writeAllPages(response, {
      outbound,
      send,
      map,
      raw: reply.raw,
      headers: head,
      limit,
      refuse: bodyRefusal(response.body, reply, outbound),
      brokeOff: (error) => noteError(exchange, error),
    })
    measure(exchange)
  }

  /** The body of an error of Dynamics, which is explained when its first bytes arrive. */
  function explained(
    body: ResponseBody,
    { status, contentType, contentEncoding }: ResponseHead,
    { exchange: { record }, user, tokens }: FastifyRequest,
  ): ResponseBody {
    return withFirstBytes(body, (bytes) => {
      const error = decode(bytes, contentEncoding, MAX_ERROR_BYTES)
      record.dynamicsCode = error === undefined ? undefined : errorCodeIn(error)
      const asCaller = tokens !== undefined
      explain({ status, contentType, body: error, impersonated: user !== undefined && !asCaller, asCaller, record })
    })
  }
}

/** A request on its way, and what its response needs. */
interface PreparedRequest {
  readonly outbound: OutboundRequest
  readonly map: UrlMap
  /** How many rows of all pages are wanted at most; `undefined` where the response itself is. */
  readonly limit: number | undefined
}

/** Responds with an error when the body of a response turns out to be one that cannot be forwarded. */
function bodyRefusal(body: ResponseBody, reply: FastifyReply, outbound: OutboundRequest): (cause: unknown) => void {
  return (cause) => {
    body.dump()
    refuse(reply, cause, outbound)
  }
}

function withoutBodyHeaders(headers: readonly string[]): string[] {
  return headers.filter((_, index) => !BODY_HEADERS.test(headers[index - (index % 2)]!))
}

/** Notes how long the gateway itself took until the head was ready. */
function measure(exchange: Exchange): void {
  const { started, timings } = exchange
  exchange.gatewayMs = performance.now() - started - timings.token - timings.user - timings.wait - timings.dynamics
}

/** Responds with an error instead of a response that cannot be forwarded. */
function refuse(reply: FastifyReply, cause: unknown, outbound: OutboundRequest): void {
  void reply.send(withRetryAdvice(bodyError(cause as Error), outbound))
}

/** A malformed `$batch` is the caller's error. */
function refusalOf(error: unknown): unknown {
  if (error instanceof OversizedBatch) return new BatchTooLarge(error.limit, { cause: error })
  return error instanceof MalformedBatch || error instanceof RefusedPart
    ? new BadBatch(error.message, { cause: error })
    : error
}
