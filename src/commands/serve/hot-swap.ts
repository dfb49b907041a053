import type { RequestListener, Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Logger } from 'pino'

import { createGateway } from '../../app.ts'
import type { Gateway } from '../../app.ts'
import type { Settings } from '../../config/schema.ts'
import type { Overload } from '../../door/overload.ts'
import type { AuditLog } from '../../observe/audit-log.ts'
import { isReady } from '../../observe/health.ts'
import type { TokenStatus } from '../../observe/health.ts'
import type { Inspector } from '../../observe/inspector/inspector.ts'
import type { Tracer } from '../../observe/tracing/tracer.ts'
import type { OutboundAgent } from '../../outbound/agent.ts'
import { inProcess } from '../../replicas/in-process.ts'
import { redisReplicas } from '../../replicas/redis.ts'
import type { ReplicaTimes } from '../../replicas/redis.ts'
import type { Replicas } from '../../replicas/shared-state.ts'
import { corsOf } from '../../server/cors.ts'
import { operationsServer } from '../../server/operations-listener.ts'
import { inboundServer } from '../../server/server.ts'
import { version } from '../version.ts'

/** The server that callers connect to. The gateway behind it can be replaced while it listens. */
export interface HotSwap {
  readonly server: Server
  /** The server of the second listener, if the settings have one. */
  readonly operations: Server | undefined
  /** The connection to other replicas. */
  readonly replicas: Replicas
  /** The gateway that handles requests now. */
  readonly gateway: () => Gateway
  /**
   * Replaces the gateway by one with other settings, as soon as the new one has its tokens. Running requests finish
   * with the gateway that they started with.
   *
   * If the new one is not used, the outcome says why: it got no token in time, or the gateway is stopping.
   */
  readonly swap: (settings: Settings) => Promise<SwapOutcome>
  /** Makes the gateway not ready, and ends a swap in progress. */
  readonly stop: () => void
}

export type SwapOutcome = 'swapped' | 'no token' | 'stopping'

interface Dependencies {
  readonly agent: OutboundAgent
  readonly log: Logger
  readonly auditLog: AuditLog | undefined
  readonly inspector: Inspector | undefined
  readonly tracer: Tracer | undefined
  readonly overload: Overload
  /** For tests. */
  readonly replicaTimes: ReplicaTimes | undefined
}

/** The time between two checks whether a new gateway is ready. */
const READY_POLL_MS = 25

/** The most entries in the state of a gateway without Redis, such as creates with an idempotency key. */
const MAX_REMEMBERED = 100_000

/** Makes the server and the first gateway behind it. The gateway need not have a token yet. */
export async function openHotSwap(settings: Settings, dependencies: Dependencies): Promise<HotSwap> {
  let activeHandler!: RequestListener
  let cors = corsOf(settings)
  const { redis } = settings
  const replicas =
    redis === undefined ? inProcess(MAX_REMEMBERED) : redisReplicas(redis, dependencies.log, dependencies.replicaTimes)
  const serverSettings = {
    ...settings,
    cors: (origin: string | undefined) => cors.headersFor(origin),
    ...(dependencies.inspector === undefined ? {} : { onUnreadable: dependencies.inspector.addUnreadable }),
  }
  const server = inboundServer(serverSettings, dependencies.log, (request, response) =>
    activeHandler(request, response),
  )
  const operations =
    settings.metricsPort === undefined
      ? undefined
      : operationsServer(settings, dependencies.log, (request, response) => activeHandler(request, response))
  let active = await make(settings)
  let isStopping = false
  activeHandler = active.handler
  return {
    server,
    operations,
    replicas,
    gateway: () => active.gateway,
    swap,
    stop() {
      isStopping = true
      active.gateway.stop()
    },
  }

  async function make(settings: Settings): Promise<{ readonly gateway: Gateway; readonly handler: RequestListener }> {
    let handler!: RequestListener
    const attach = (made: RequestListener): Server => {
      handler = made
      return server
    }
    const gateway = await createGateway(settings, { ...dependencies, version: version(), attach, replicas })
    await gateway.app.ready()
    return { gateway, handler }
  }

  async function swap(settings: Settings): Promise<SwapOutcome> {
    const next = await make(settings)
    const deadline = performance.now() + 2 * Math.max(...settings.targets.map(({ tokenTimeout }) => tokenTimeout))
    const ready = (): boolean => mayReplace(active.gateway.tokens(), next.gateway.tokens())
    while (!isStopping && !ready() && performance.now() < deadline) await sleep(READY_POLL_MS)
    if (isStopping || !ready()) {
      await next.gateway.app.close()
      return isStopping ? 'stopping' : 'no token'
    }
    const { gateway: last } = active
    active = next
    activeHandler = next.handler
    cors = corsOf(settings)
    setTimeout(() => void last.app.close(), settings.shutdownTimeout).unref()
    return 'swapped'
  }
}

/**
 * Whether the next gateway may replace the current one: no target loses its token, and at least one target has a token.
 * A target without a token, in the current or the next gateway, does not delay the others.
 */
export function mayReplace(current: ReadonlyMap<string, TokenStatus>, next: ReadonlyMap<string, TokenStatus>): boolean {
  return (
    isReady([...next.values()]) &&
    [...next].every(([name, status]) => status === 'valid' || current.get(name) !== 'valid')
  )
}
