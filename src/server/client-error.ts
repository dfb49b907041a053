import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { BadRequest, HeadTooLarge, MethodNotAllowed, QueryMethodUnsupported, RequestTooSlow } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { entitySetOf } from '../odata/entity-set.ts'
import { targetFault } from '../odata/request-target.ts'
import { addHeaders } from './added-headers.ts'
import { ALLOW, CALLER_METHODS } from './caller-methods.ts'
import { idOf, lastExchange } from './exchange.ts'

/** What Node says of bytes that are no request. */
interface ParseError extends Error {
  readonly code?: string
  readonly rawPacket?: Buffer
}

/** One of the gateway's own errors. */
type Answerable = Error & { readonly statusCode?: number | undefined; readonly code: string }

/** What tells a caller's browser whether it may show an answer, as headers, flat. */
export type CorsHeaders = (origin: string | undefined) => readonly string[] | undefined

/** Answers what Node could not read as a request, and closes the connection. */
export function answerClientError(
  error: ParseError,
  socket: Socket,
  response: ServerResponse | undefined,
  cors: CorsHeaders,
  log: Pick<Logger, 'info'>,
): void {
  if (ending.has(socket)) return
  if (response?.req.complete === true && !response.writableFinished && !response.destroyed) {
    // What was read before is no part of the fault: it gets its own answer first.
    ending.add(socket)
    response.once('close', () => answerAlone(error, socket, response, cors, log))
    return
  }
  answerAlone(error, socket, response, cors, log)
}

function answerAlone(
  error: ParseError,
  socket: Socket,
  response: ServerResponse | undefined,
  cors: CorsHeaders,
  log: Pick<Logger, 'info'>,
): void {
  // Part of an answer is on its way, or nobody reads any more: a second answer would be taken for a part of the first.
  const answering = response !== undefined && response.headersSent && !response.writableFinished
  const unreadable = !socket.writable || /^(?:ECONNRESET|ERR_SSL|ERR_TLS)/.test(error.code ?? '')
  // A connection that was opened in advance and never used.
  const unused = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0
  if (answering || unreadable || unused) return void socket.destroy()
  const answer = errorFor(error)
  // The head of this request was read; it is its body that is none.
  if (response?.req.complete === false) return endWith(socket, answer)
  const { id: given, method, address } = requestIn(error.rawPacket)
  const id = idOf(given)
  log.info(
    {
      id,
      method: CALLER_METHODS.find((known) => known === method) ?? 'other',
      entitySet: entitySetOf(address ?? ''),
      status: answer.statusCode,
      code: answer.code,
      cause: error.code,
    },
    'unreadable request refused',
  )
  endWith(socket, answer, ['x-request-id', id, ...(cors(originIn(error.rawPacket)) ?? [])])
}

/** The origin of the page that sent `bytes`, where they name one and no other. */
function originIn(bytes: Buffer | undefined): string | undefined {
  const [first, ...others] = [...(bytes?.toString('latin1') ?? '').matchAll(/\r\norigin:([^\r\n]*)\r\n/gi)]
  return others.length === 0 ? first?.[1]?.trim() : undefined
}

/**
 * Writes an error as an answer of its own, and ends the connection; after a second whatever the other side does.
 *
 * @param added flat; those of the request that the connection carries, unless told otherwise
 */
export function endWith(
  socket: Socket,
  { statusCode, code, message }: Answerable,
  added: readonly string[] = addedTo(socket),
): void {
  ending.add(socket)
  const body = JSON.stringify({ error: { code, message } })
  socket.end(
    [
      `HTTP/1.1 ${statusCode!} ${REASONS[statusCode!] ?? 'Bad Request'}`,
      'Content-Type: application/json; odata.metadata=minimal',
      'OData-Version: 4.0',
      'Cache-Control: no-store',
      ...(statusCode === 405 ? [`Allow: ${ALLOW}`] : []),
      ...lines(added),
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  )
  // What still arrives is read, lest a reset takes the answer from whoever is still sending; but not for long.
  setTimeout(() => socket.destroy(), LINGER).unref()
}

function addedTo(socket: Socket): readonly string[] {
  const exchange = lastExchange(socket)
  if (exchange === undefined) return ['x-request-id', idOf(undefined)]
  const headers: string[] = []
  addHeaders(headers, exchange)
  return headers
}

function lines(headers: readonly string[]): readonly string[] {
  return headers.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${headers[index + 1]}`] : []))
}

const ending = new WeakSet<Socket>()

const LINGER = 1000

const REASONS: Readonly<Record<number, string>> = {
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}

function errorFor({ code, rawPacket }: ParseError): Answerable {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new RequestTooSlow()
  if (code === 'HPE_HEADER_OVERFLOW') return new HeadTooLarge()
  const { method, address } = requestIn(rawPacket)
  // Node stops at a blank or a letter outside of ASCII, as people put them into addresses.
  const fault = address === undefined ? NOT_HTTP : targetFault(address)
  if (code === 'HPE_INVALID_METHOD' && fault === undefined) {
    return method === 'QUERY' ? new QueryMethodUnsupported() : new MethodNotAllowed()
  }
  return new BadRequest(OF_THE_ADDRESS.has(code ?? '') && fault !== undefined ? fault : NOT_HTTP)
}

const OF_THE_ADDRESS = new Set(['HPE_INVALID_URL', 'HPE_INVALID_CONSTANT', 'HPE_INVALID_METHOD'])

const NOT_HTTP = 'The request is not well-formed HTTP/1.1.'

/** What can be told of a request that Node does not read. */
interface UnreadRequest {
  readonly id?: string | undefined
  readonly method?: string | undefined
  readonly address?: string | undefined
}

/** Reads the bytes in which Node found the fault, if they begin with the request's line. */
function requestIn(bytes: Buffer | undefined): UnreadRequest {
  const text = bytes?.toString('latin1', 0, 64 * 1024) ?? ''
  const [, method, address] = REQUEST_LINE.exec(text) ?? []
  const [head = ''] = text.split('\r\n\r\n', 1)
  return { method, address, id: method === undefined ? undefined : REQUEST_ID.exec(head)?.[1] }
}

const REQUEST_LINE = /^([A-Za-z!#$%&'*+.^_`|~0-9-]{1,32}) ([^\r\n]+?) HTTP\/1\.[01]\r?\n/

const REQUEST_ID = /\nx-request-id:[ \t]*([^\s]{1,128})[ \t]*(?:\r|$)/i
