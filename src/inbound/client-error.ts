import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { addHeaders } from '../added-headers.ts'
import { BadRequest, HeadTooLarge, MethodNotAllowed, RequestTooSlow } from '../errors.ts'
import { idOf, lastExchange } from '../exchange.ts'
import { ALLOW } from '../odata/methods.ts'

/** What Node says of bytes that are no request. */
interface ParseError extends Error {
  readonly code?: string
  readonly rawPacket?: Buffer
}

/** One of the gateway's own errors. */
type Answerable = Error & { readonly statusCode?: number | undefined, readonly code: string }

/** Where what is no request is told of. */
interface Log { readonly info: (facts: object, sentence: string) => void }

/** What tells a caller's browser whether it may show an answer, as headers, flat. */
export type CorsHeaders = (origin: string | undefined) => readonly string[] | undefined

/** Answers what Node could not read as a request, and closes the connection. */
export function answerClientError(
  error: ParseError, socket: Socket, response: ServerResponse | undefined, cors: CorsHeaders, log: Log,
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
  error: ParseError, socket: Socket, response: ServerResponse | undefined, cors: CorsHeaders, log: Log,
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
  const id = idOf(undefined)
  log.info({ id, status: answer.statusCode, code: answer.code, cause: error.code }, 'no readable request')
  endWith(socket, answer, ['x-request-id', id, ...cors(originIn(error.rawPacket)) ?? []])
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
  socket: Socket, { statusCode, code, message }: Answerable, added: readonly string[] = addedTo(socket),
): void {
  ending.add(socket)
  const body = JSON.stringify({ error: { code, message } })
  socket.end([
    `HTTP/1.1 ${statusCode!} ${REASONS[statusCode!] ?? 'Bad Request'}`,
    'Content-Type: application/json; odata.metadata=minimal',
    'OData-Version: 4.0', 'Cache-Control: no-store', ...(statusCode === 405 ? [`Allow: ${ALLOW}`] : []),
    ...lines(added), `Content-Length: ${Buffer.byteLength(body)}`, 'Connection: close', '', body,
  ].join('\r\n'))
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
  return headers.flatMap((name, index) => index % 2 === 0 ? [`${name}: ${headers[index + 1]}`] : [])
}

const ending = new WeakSet<Socket>()

const LINGER = 1000

const REASONS: Readonly<Record<number, string>> = {
  405: 'Method Not Allowed', 408: 'Request Timeout', 431: 'Request Header Fields Too Large',
}

function errorFor({ code, rawPacket }: ParseError): Answerable {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT': return new RequestTooSlow()
    case 'HPE_HEADER_OVERFLOW': return new HeadTooLarge()
    case 'HPE_INVALID_METHOD': if (isRequestLine(rawPacket)) return new MethodNotAllowed()
  }
  return new BadRequest('What was sent is no well-formed HTTP/1.1 request.')
}

/** Whether bytes begin with a request that has a method Node does not know. */
function isRequestLine(bytes: Buffer | undefined): boolean {
  return bytes !== undefined && REQUEST_LINE.test(bytes.toString('latin1', 0, 40_000))
}

const REQUEST_LINE = /^[A-Za-z!#$%&'*+.^_`|~0-9-]{1,32} \/[\x21-\x7e]* HTTP\/1\.[01]\r\n/
