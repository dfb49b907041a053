import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { BadRequest, HeadTooLarge, MethodNotAllowed, QueryMethodUnsupported, RequestTooSlow } from '../errors.ts'
import { entitySetOf } from '../odata/entity-set.ts'
import { targetFault } from '../odata/request-target.ts'
import { ALLOW, CALLER_METHODS } from './caller-methods.ts'
import { idOf } from './exchange.ts'
import { endRequestWith, endWith, isEnding, markEnding } from './raw-response.ts'
import type { ResponseError } from './raw-response.ts'
import type { OnUnreadable } from './unreadable-request.ts'

/** Node's error for bytes that are not a request, or for a head that is late. */
export interface ClientError extends Error {
  readonly code?: string
  /** The bytes that arrived together, which may begin with requests that were well-formed. */
  readonly rawPacket?: Buffer
  /** How many of them Node had read. */
  readonly bytesParsed?: number
}

/** CORS headers of a response, flat. */
export type CorsHeaders = (origin: string | undefined) => readonly string[] | undefined

/** Responds to bytes that Node could not parse as a request, and closes the connection. */
export function respondToClientError(
  error: ClientError,
  socket: Socket,
  response: ServerResponse | undefined,
  cors: CorsHeaders,
  refused: OnUnreadable,
): void {
  // What follows `Connection: close` is not a request. The response before it ends the connection.
  if (isEnding(socket) || error.code === 'HPE_CLOSED_CONNECTION') return
  const respond = (): void => respondAlone(error, socket, response, cors, refused)
  if (response === undefined || response.writableFinished || response.destroyed) return respond()
  // Earlier requests on the connection get their own responses first.
  if (response.req.complete) {
    markEnding(socket)
    response.once('close', respond)
  } else if (response.socket === null && error.code !== 'HPE_INVALID_EOF_STATE') {
    markEnding(socket)
    response.once('socket', respond)
  } else if (response.socket === null) {
    // The caller ended its side of the connection before its request was complete.
    socket.destroy()
  } else {
    respond()
  }
}

function respondAlone(
  error: ClientError,
  socket: Socket,
  response: ServerResponse | undefined,
  cors: CorsHeaders,
  refused: OnUnreadable,
): void {
  // A response is in progress, or the peer no longer reads: a second response would look like a part of the first.
  const responding = response !== undefined && response.headersSent && !response.writableFinished
  const unreadable = !socket.writable || /^(?:ECONNRESET|ERR_SSL|ERR_TLS)/.test(String(error.code))
  // A preconnected connection that was never used.
  const unused = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0
  if (responding || unreadable || unused) return void socket.destroy()
  const bytes = malformedBytes(error)
  const refusal = errorFor(error.code, bytes)
  // The head of this request was valid; its body is not.
  if (response?.req.complete === false) return endRequestWith(socket, refusal)
  const { id: given, method, address } = requestIn(bytes)
  const id = idOf(given)
  refused({
    id,
    method: CALLER_METHODS.find((known) => known === method) ?? 'other',
    entitySet: entitySetOf(address ?? ''),
    status: refusal.statusCode!,
    code: refusal.code,
    message: refusal.message,
    cause: error.code,
  })
  endWith(socket, refusal, ['x-request-id', id, ...(cors(originIn(bytes)) ?? [])])
}

/** The only `Origin` in `bytes`. */
function originIn(bytes: Buffer | undefined): string | undefined {
  const [first, ...others] = [...(bytes?.toString('latin1') ?? '').matchAll(/\r\norigin:([^\r\n]*)(?=\r\n)/gi)]
  return others.length === 0 ? first?.[1]?.trim() : undefined
}

/**
 * The bytes of the request that is malformed, without the heads of the requests before it. The body of the previous one
 * may still precede them.
 */
function malformedBytes({ rawPacket, bytesParsed = 0 }: ClientError): Buffer | undefined {
  const lastStart = bytesParsed - END_OF_HEAD.length
  const previous = lastStart < 0 ? -1 : (rawPacket?.lastIndexOf(END_OF_HEAD, lastStart) ?? -1)
  return previous === -1 ? rawPacket : rawPacket!.subarray(previous + END_OF_HEAD.length)
}

const END_OF_HEAD = '\r\n\r\n'

function errorFor(code: string | undefined, bytes: Buffer | undefined): ResponseError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new RequestTooSlow()
  if (code === 'HPE_HEADER_OVERFLOW') return new HeadTooLarge()
  const { method, address } = requestIn(bytes)
  // Node stops at a blank or a non-ASCII letter, which people put into addresses.
  const fault = address === undefined ? NOT_HTTP : targetFault(address)
  if (code === 'HPE_INVALID_METHOD' && fault === undefined) {
    return method === 'QUERY' ? new QueryMethodUnsupported() : new MethodNotAllowed(ALLOW)
  }
  return new BadRequest(OF_THE_ADDRESS.has(String(code)) && fault !== undefined ? fault : NOT_HTTP)
}

const OF_THE_ADDRESS = new Set(['HPE_INVALID_URL', 'HPE_INVALID_CONSTANT', 'HPE_INVALID_METHOD'])

const NOT_HTTP = 'The request is not well-formed HTTP/1.1.'

/** Facts about a request that Node does not parse. */
interface UnreadRequest {
  readonly id?: string | undefined
  readonly method?: string | undefined
  readonly address?: string | undefined
}

/** Reads the bytes in which Node found the error, if they start with the request line. */
function requestIn(bytes: Buffer | undefined): UnreadRequest {
  const text = bytes?.toString('latin1', 0, 64 * 1024) ?? ''
  const [, method, address] = REQUEST_LINE.exec(text) ?? []
  const [head = ''] = text.split('\r\n\r\n', 1)
  return { method, address, id: method === undefined ? undefined : REQUEST_ID.exec(head)?.[1] }
}

const REQUEST_LINE = /^([A-Za-z!#$%&'*+.^_`|~0-9-]{1,32}) ([^\r\n]+?) HTTP\/1\.[01]\r?\n/

const REQUEST_ID = /\nx-request-id:[ \t]*([^\s]{1,128})[ \t]*(?:\r|$)/i
