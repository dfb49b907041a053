import type { Socket } from 'node:net'

import { addHeaders } from './added-headers.ts'
import { ALLOW } from './caller-methods.ts'
import { idOf, lastExchange } from './exchange.ts'

/** One of the gateway's own errors. */
export type ResponseError = Error & { readonly statusCode?: number | undefined; readonly code: string }

/**
 * Writes an error as a response, and ends the connection, after a second regardless of the peer.
 *
 * @param added flat; default: those of the current request on the connection
 */
export function endWith(
  socket: Socket,
  { statusCode, code, message }: ResponseError,
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
  // Arriving bytes are read briefly, because a reset would discard the response of a peer that is still sending. Node
  // would still parse them, and execute what they complete.
  socket.removeAllListeners('data').on('data', () => undefined)
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}

/** Refuses a request whose head was read and whose body is not coming as it should. */
export function endRequestWith(socket: Socket, error: ResponseError): void {
  const exchange = lastExchange(socket)
  if (exchange !== undefined) {
    exchange.status = error.statusCode
    exchange.code = error.code
    exchange.message = error.message
  }
  endWith(socket, error)
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

/** Whether the connection has its last response, or waits for it. */
export function isEnding(socket: Socket): boolean {
  return ending.has(socket)
}

/** Marks a connection that ends with the response to an earlier request, or with one after it. */
export function markEnding(socket: Socket): void {
  ending.add(socket)
}

const LINGER_MS = 1000

const REASONS: Readonly<Record<number, string>> = {
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}
