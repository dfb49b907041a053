import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import { createServer as createSocketServer } from 'node:net'
import type { AddressInfo, Server as SocketServer, Socket } from 'node:net'

import { loadSettings } from '../../src/config/load.ts'
import { NO_PROXIES } from '../../src/config/proxies.ts'
import type { Proxies } from '../../src/config/proxies.ts'
import type { Target } from '../../src/config/schema.ts'
import type { Credential } from '../../src/credentials/credential.ts'
import { Cancellation } from '../../src/dynamics/cancellation.ts'
import { connect } from '../../src/dynamics/connect.ts'
import type { Connection } from '../../src/dynamics/connect.ts'
import type { DynamicsEvent } from '../../src/dynamics/events.ts'
import { RequestRecord } from '../../src/dynamics/request-record.ts'
import type { UpstreamResponse, OutboundRequest } from '../../src/dynamics/send.ts'
import { createAgent } from '../../src/outbound/agent.ts'
import type { OutboundAgent } from '../../src/outbound/agent.ts'
import { inProcess } from '../../src/replicas/in-process.ts'
import type { Test } from './tap-test.ts'

/** Starts an HTTP service on loopback, and returns its origin. */
export async function service(t: Test, listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listenOnFreePort(t, createServer({ keepAliveTimeout: 30_000 }, listener))}`
}

/** A TCP service whose connections are handled by `onSocket`, byte for byte. */
export async function socketService(t: Test, onSocket: (socket: Socket) => void): Promise<string> {
  const server = createSocketServer((socket) => {
    socket.on('error', () => {})
    onSocket(socket)
  })
  return `http://127.0.0.1:${await listenOnFreePort(t, server)}`
}

/** Listens at a free port of loopback until the test ends. Returns the port. */
export async function listenOnFreePort(t: Test, server: Server | SocketServer): Promise<number> {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => {
    for (const socket of open) socket.destroy()
    return new Promise((resolve) => {
      server.close(resolve)
    })
  })
  return (server.address() as AddressInfo).port
}

export interface ConnectionFixture extends Connection {
  readonly events: DynamicsEvent[]
  readonly agent: OutboundAgent
}

/** A connection to `origin` with default settings, changed by `other`. Its events are in `events`. */
export function connectionFixture(
  t: Test,
  origin: string,
  other: Partial<Target> = {},
  credential: Credential = fixedToken(),
  {
    bodyLimit = 2 ** 30,
    proxies = NO_PROXIES,
  }: {
    readonly bodyLimit?: number
    readonly proxies?: Proxies
  } = {},
): ConnectionFixture {
  const {
    targets: [target],
  } = loadSettings(
    {
      DYNAMICS_URL: origin,
      AZURE_TENANT_ID: '11111111-1111-4111-8111-111111111111',
      AZURE_CLIENT_ID: '22222222-2222-4222-8222-222222222222',
      AZURE_CLIENT_SECRET: 'not-a-secret',
    },
    undefined,
  )
  const settings: Target = { ...target!, ...other }
  const agent = createAgent({
    connectTimeout: settings.connectTimeout,
    connections: settings.concurrency + 16,
    proxies,
  })
  const events: DynamicsEvent[] = []
  const connection = connect(settings, {
    agent,
    credential,
    onEvent: (event) => events.push(event),
    log: { info() {}, warn() {} },
    bodyLimit,
    state: inProcess(1000).of(settings),
  })
  t.teardown(async () => {
    await agent.destroy().catch(() => {})
  })
  return { ...connection, events, agent }
}

/** A credential with a fixed token, which `discard` replaces by the next of `tokens`. */
export function fixedToken(...tokens: string[]): Credential & { readonly discarded: [string, string | undefined][] } {
  const discarded: [string, string | undefined][] = []
  return {
    discarded,
    authorization: () => `Bearer ${tokens[Math.min(discarded.length, tokens.length - 1)] ?? 'token'}`,
    discard: (authorization, claims) => discarded.push([authorization, claims]),
    state: () => ({ token: 'fresh', validFor: 3_600_000, renewals: 1, failures: 0, lastFailure: undefined }),
    warmUp() {},
    reload() {},
    close() {},
  }
}

/** A minimal request. */
export function outbound(other: Partial<OutboundRequest> = {}): OutboundRequest {
  const method = other.method ?? 'GET'
  return {
    method,
    path: '/api/data/v9.2/accounts',
    headers: ['accept', 'application/json'],
    body: undefined,
    bodyLength: undefined,
    repeatable: method === 'GET' || method === 'HEAD' ? 'read' : method === 'POST' ? 'never' : 'idempotent',
    fairnessKey: 'test',
    deadline: undefined,
    transform: undefined,
    cancellation: new Cancellation(),
    timings: { token: 0, user: 0, wait: 0, dynamics: 0 },
    record: new RequestRecord('test', performance.now()),
    ...other,
  }
}

/** The body of an answer as text. */
export async function text(answer: UpstreamResponse): Promise<string> {
  return (await answer.body.bytes(10_000_000)).toString()
}

/** The body of a request that a service got, as text. */
export async function received(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  return body
}

export { json as answerJson } from './authority.ts'

/** Waits. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds)
  })
}
