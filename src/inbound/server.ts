import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'

import type { Settings } from '../config.ts'
import { MethodNotAllowed } from '../errors.ts'
import { reloadCertificates, tlsOptions } from './certificate.ts'
import { answerClientError, endWith } from './client-error.ts'
import { endStalled } from './stalled.ts'

type ServerSettings = Pick<Settings, 'headTimeout' | 'bodyTimeout' | 'maxConnections' | 'tls' | 'callers'>

interface Log {
  readonly info: (facts: object, sentence: string) => void
  readonly error: (facts: object, sentence: string) => void
}

/** A server for callers, with all limits that Node leaves open; `handler` gets the requests. */
export function inboundServer(settings: ServerSettings, log: Log, handler: RequestListener): Server {
  const options = {
    maxHeaderSize: LARGEST_HEAD,
    // Host is judged at the door, and refused in OData's format.
    requireHostHeader: false,
    insecureHTTPParser: false,
    headersTimeout: settings.headTimeout,
    // A body may take as long as it moves.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(1000, settings.headTimeout),
    keepAliveTimeout: IDLE,
  }
  const { tls } = settings
  const server = tls === undefined ? createServer(options) : createSecureServer({
    ...options, ...tlsOptions(tls, settings.callers), handshakeTimeout: settings.headTimeout,
  })
  // Node forgets header lines beyond a number, and an Origin after them vanishes; the door counts them instead.
  server.maxHeadersCount = 0
  server.maxConnections = settings.maxConnections
  const answerOn = endStalled(server, settings.bodyTimeout)
  server.on('request', handler)
  // A caller that asks first is told to go on when the gateway takes the body, not before.
  server.on('checkContinue', handler)
  server.on('clientError', (error, socket) => answerClientError(error, socket as never, answerOn(socket as never)))
  server.on('connect', (_request, socket) => endWith(socket as never, new MethodNotAllowed()))
  if (tls !== undefined) server.on('close', reloadCertificates(server as never, tls, log))
  return server
}

/** Twice what an address may have, for legal URLs of 32 KiB and their headers. */
const LARGEST_HEAD = 64 * 1024

/** Callers' pools keep idle connections for a minute; they should close them first. */
const IDLE = 72_000
