import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Socket } from 'node:net'

import type { Settings } from '../config/schema.ts'
import { MethodNotAllowed } from '../errors.ts'
import type { Logger } from '../logging/logger.ts'
import { addHeaders } from './added-headers.ts'
import { ALLOW } from './caller-methods.ts'
import { respondToClientError } from './client-error.ts'
import type { ClientError, CorsHeaders } from './client-error.ts'
import { idOf } from './exchange.ts'
import { limitPipelined } from './pipelined.ts'
import { endWith } from './raw-response.ts'
import { endStalled } from './stalled.ts'
import { reloadCertificates, tlsOptions } from './tls.ts'
import type { Tls } from './tls.ts'
import type { OnUnreadable, UnreadableRequest } from './unreadable-request.ts'

type ServerSettings = Pick<Settings, 'headTimeout' | 'bodyTimeout' | 'maxConnections' | 'tls' | 'callers'> & {
  /** For responses to malformed requests; default: none. */
  readonly cors?: CorsHeaders
  /** Is given what is refused before the handler sees it. */
  readonly onUnreadable?: OnUnreadable
}

/** The server for callers, with all limits that Node leaves open. `handler` gets the requests. */
export function inboundServer(
  settings: ServerSettings,
  log: Pick<Logger, 'info' | 'error'>,
  handler: RequestListener,
): Server {
  const options = {
    maxHeaderSize: MAX_HEAD_BYTES,
    // Host is checked at the door, and refused in OData's format.
    requireHostHeader: false,
    insecureHTTPParser: false,
    headersTimeout: settings.headTimeout,
    // A body may take any time while bytes arrive.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(1000, settings.headTimeout),
    keepAliveTimeout: KEEP_ALIVE_MS,
  }
  const { tls, cors = () => undefined } = settings
  const server = tls === undefined ? createServer(options) : secureServer(tls)
  // Node forgets header lines beyond a number, and an Origin after them vanishes; the door counts them instead.
  server.maxHeadersCount = 0
  server.maxConnections = settings.maxConnections
  const { begin, responseOn } = endStalled(server, settings.bodyTimeout)
  const handle = limitPipelined(handler)
  // One listener for both: Node copies the list of several for each request.
  const onRequest: RequestListener = (request, response) => {
    begin(request, response)
    handle(request, response)
  }
  server.on('request', onRequest)
  // 100 Continue is sent when the gateway reads the body, not before.
  server.on('checkContinue', (request, response) => {
    begin(request, response, request.socket.bytesWritten)
    handle(request, response)
  })
  // What else it expects is refused at the door; Node would answer by itself.
  server.on('checkExpectation', onRequest)
  // Node's types say Duplex, for servers that are handed other streams. This one reads from connections only.
  server.on('clientError', (error, socket) => onClientError(error, socket as Socket))
  server.on('connect', ({ headers }, socket) => {
    // Node has removed its own listener from the connection. A reset without one would end the process.
    socket.on('error', () => undefined)
    const id = idOf(headers['x-request-id'] as string | undefined)
    const refusal = new MethodNotAllowed(ALLOW)
    const { code, message } = refusal
    refused({ id, method: 'CONNECT', entitySet: 'other', status: refusal.statusCode!, code, message })
    const respond = (): void => endWith(socket as Socket, refusal, tunnelHeaders(id))
    // Earlier requests on the connection get their own responses first.
    const earlier = responseOn(socket as Socket)
    if (earlier === undefined || earlier.writableFinished || earlier.destroyed) respond()
    else earlier.once('close', respond)
  })
  return server

  function onClientError(error: ClientError, socket: Socket): void {
    const response = responseOn(socket)
    if (error.code !== 'ERR_HTTP_REQUEST_TIMEOUT' || !socket.isPaused()) {
      return respondToClientError(error, socket, response, cors, refused)
    }
    // The rest of the head has not been read, because earlier requests on the connection are queued. Its time starts
    // again when the connection is read: Node reports a late head only once.
    socket.once('resume', () => {
      const ifStillLate = (): void => {
        if (responseOn(socket) === response) onClientError(error, socket)
      }
      setTimeout(ifStillLate, settings.headTimeout).unref()
    })
  }

  function refused(request: UnreadableRequest): void {
    const { message: _message, ...facts } = request
    log.info(facts, 'unreadable request refused')
    settings.onUnreadable?.(request)
  }

  function secureServer(tls: Tls): Server {
    const secure = createSecureServer({
      ...options,
      ...tlsOptions(tls, settings.callers),
      handshakeTimeout: settings.headTimeout,
    })
    return secure.on('close', reloadCertificates(secure, tls, log))
  }
}

/** Headers of the response to CONNECT, which reaches no handler. */
function tunnelHeaders(id: string): readonly string[] {
  const added: string[] = []
  const timings = { token: 0, user: 0, wait: 0, dynamics: 0 }
  addHeaders(added, { id, timings, cors: undefined })
  return added
}

/**
 * Twice the door's limits of header lines and address, so that most heads that are too large can be parsed and get
 * a proper response.
 */
const MAX_HEAD_BYTES = 256 * 1024

/** Callers' pools keep idle connections for a minute; they should close them first. */
const KEEP_ALIVE_MS = 72_000
