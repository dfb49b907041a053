import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { setTimeout as wait } from 'node:timers/promises'

import { splitTarget } from './dataverse/address.ts'
import { handleDataverseRequest, type Dataverse } from './dataverse/dataverse.ts'
import type { Directory } from './entra/directory.ts'
import { handleEntraRequest } from './entra/entra.ts'
import { encoded } from './http/content-coding.ts'
import { dataverseFaultReply, entraFaultReply, throttled } from './http/fault-responses.ts'
import type { EntraFault, FaultSource } from './http/faults.ts'
import type { Reply } from './http/operation.ts'
import type { RequestLog, RequestEntry } from './http/received.ts'
import { serviceHeaders } from './http/response-headers.ts'
import { reset, transmit } from './http/transmit.ts'

/** The services behind the server. */
export interface EmulatedServices {
  readonly entra: Directory
  readonly entraFaults: FaultSource<EntraFault>
  readonly entraLog: RequestLog
  readonly dataverse: Dataverse
  readonly dataverseLog: RequestLog
  readonly load: Load
  /** The service of each host, by lower-case name. On loopback, the path decides. */
  readonly hosts: ReadonlyMap<string, 'dataverse' | 'entra'>
}

/** Requests to Dataverse: in progress, the peak, and the total. */
export interface Load {
  current: number
  peak: number
  total: number
}

/** An HTTP or HTTPS server, not yet listening. It accepts long URLs and heads, as the real service does. */
export function serverOf(
  services: EmulatedServices,
  tls: { readonly key: string; readonly cert: string } | undefined,
): Server {
  const options = { maxHeaderSize: 256 * 1024, keepAliveTimeout: 60_000, requestTimeout: 0 }
  const scheme = tls === undefined ? 'http' : 'https'
  const listener: RequestListener = (request, response) => void handle(services, scheme, request, response)
  const server = tls === undefined ? createServer(options, listener) : createTlsServer({ ...options, ...tls }, listener)
  server.on('connect', (_request, socket) => {
    // Node has removed its own listener from the connection.
    socket.on('error', () => undefined).end('HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n')
  })
  return server
}

async function handle(
  services: EmulatedServices,
  scheme: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const {
    headers: { host: asked = '' },
    url = '',
  } = request
  const host = asked.toLowerCase()
  const known = services.hosts.get(host) ?? (loopback.test(host) ? 'by path' : undefined)
  const origin = known === 'by path' ? `${scheme}://${host}` : `https://${host}`
  const service = known === 'by path' ? serviceAt(url) : known
  const log = service === 'entra' ? services.entraLog : services.dataverseLog
  const entry = log.record(request)
  response.on('close', () => {
    if (!response.writableFinished) entry.setAborted()
  })
  try {
    if (service === 'entra') await entra(services, origin, request, response, entry)
    else if (service === 'dataverse') await dataverse(services, origin, request, response, entry)
    else await transmit(request, response, invalidHost, undefined)
  } catch {
    // The caller disconnected in the middle of its body: there is no connection to respond on.
    response.destroy()
  }
}

const invalidHost: Reply = {
  status: 400,
  headers: [['Content-Type', 'text/html']],
  body: '<h2>Bad Request - Invalid Hostname</h2>',
}

/** The response with the time of the emulated clock. */
function withDate(
  {
    dataverse: {
      environment: { switches },
    },
  }: EmulatedServices,
  reply: Reply,
): Reply {
  if (reply.headers.some(([name]) => name.toLowerCase() === 'date')) return reply
  const now = new Date(Date.now() + switches.clockAhead)
  return { ...reply, headers: [['Date', now.toUTCString()], ...reply.headers] }
}

/** Any port, because tests put proxies before the emulator. */
const loopback = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?$/

function serviceAt(target: string): 'dataverse' | 'entra' {
  return /^\/(api|Image|XRMServices)\//i.test(target) ? 'dataverse' : 'entra'
}

async function entra(
  services: EmulatedServices,
  origin: string,
  request: IncomingMessage,
  response: ServerResponse,
  entry: RequestEntry,
): Promise<void> {
  const { method = '', url = '' } = request
  const { path, query } = splitTarget(url)
  const body = await entry.body()
  const fault = services.entraFaults.take(
    method,
    url,
    (each) => each.path !== undefined || path.endsWith('/oauth2/v2.0/token'),
  )
  if (fault?.kind === 'reset') return reset(request)
  if (fault?.kind === 'hang') return
  if (fault?.kind === 'delay') await wait(fault.ms)
  const reply =
    (fault && entraFaultReply(fault)) ??
    handleEntraRequest(services.entra, { method, origin, path, query, headers: entry.headers, body })
  entry.setStatus(reply.status)
  await transmit(request, response, withDate(services, reply), fault)
}

async function dataverse(
  services: EmulatedServices,
  origin: string,
  request: IncomingMessage,
  response: ServerResponse,
  entry: RequestEntry,
): Promise<void> {
  const { load } = services
  const { switches } = services.dataverse.environment
  load.current += 1
  load.total += 1
  load.peak = Math.max(load.peak, load.current)
  response.on('close', () => void (load.current -= 1))
  const tooMany = load.current > switches.concurrencyLimit
  const body = await entry.body()
  const { method = '', url: target = '' } = request
  const fault = services.dataverse.faults.take(method, target, ({ inBatch }) => inBatch !== true)
  if (fault?.kind === 'reset') return reset(request)
  if (fault?.kind === 'hang') return
  if (fault?.kind === 'delay') await wait(fault.ms)
  if (switches.latency > 0) await wait(switches.latency)

  const scripted = tooMany ? throttled('concurrency', 1, false) : fault && dataverseFaultReply(fault, origin)
  const reply =
    scripted ?? handleDataverseRequest(services.dataverse, { method, target, origin, headers: entry.headers, body })
  const complete = {
    ...reply,
    headers: serviceHeaders(reply, new URL(origin).hostname, Math.max(0, 6000 - load.total), switches.parallelism),
  }
  entry.setStatus(reply.status)
  await transmit(
    request,
    response,
    withDate(services, await encoded(complete, entry.headers.get('accept-encoding'))),
    fault,
  )
}
