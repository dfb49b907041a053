import type { RequestListener, Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Logger } from 'pino'

import { createGateway } from '../../app.ts'
import type { Gateway } from '../../app.ts'
import type { Settings } from '../../config/schema.ts'
import type { AuditLog } from '../../observe/audit-log.ts'
import { isReady } from '../../observe/health.ts'
import type { TokenStatus } from '../../observe/health.ts'
import type { Inspector } from '../../observe/inspector/inspector.ts'
import type { Tracer } from '../../observe/tracing/tracer.ts'
import type { OutboundAgent } from '../../outbound/agent.ts'
import { inProcess } from '../../replicas/in-process.ts'
import { redisReplicas } from '../../replicas/redis.ts'
import type { Replicas } from '../../replicas/shared-state.ts'
import { corsOf } from '../../server/cors.ts'
import { operationsServer } from '../../server/operations-listener.ts'
import { inboundServer } from '../../server/server.ts'
import { version } from '../version.ts'

/** What callers connect to. The gateway behind it can change while it listens. */
export interface HotSwap {
  readonly server: Server
  /** The second listener's server, where the settings have one. */
  readonly operations: Server | undefined
  /** What connects it with other replicas. */
  readonly replicas: Replicas
  /** The gateway that gets the requests now. */
  readonly gateway: () => Gateway
  /**
   * Puts a gateway with other settings in place of the present one, as soon as it has its tokens. Requests that are
   * running finish with the one that they began with.
   *
   * @returns whether it did: not when the new gateway gets no token in time
   */
  readonly swap: (settings: Settings) => Promise<boolean>
}

interface Dependencies {
  readonly agent: OutboundAgent
  readonly log: Logger
  readonly auditLog: AuditLog | undefined
  readonly inspector: Inspector | undefined
  readonly tracer: Tracer | undefined
}

/** How often it is looked whether a new gateway is ready. */
const READY_POLL_MS = 25

/** Creates with an idempotency key that are remembered. */
const MAX_REMEMBERED = 100_000

/** Makes the server and the first gateway behind it, which need not have a token yet. */
export async function openHotSwap(settings: Settings, surroundings: Dependencies): Promise<HotSwap> {
  let present!: RequestListener
  let cors = corsOf(settings)
  const { redis } = settings
  const replicas = redis === undefined ? inProcess(MAX_REMEMBERED) : redisReplicas(redis, surroundings.log)
  const serverSettings = {
    ...settings,
    cors: (origin: string | undefined) => cors.headersFor(origin),
    ...(surroundings.inspector === undefined ? {} : { onUnreadable: surroundings.inspector.addUnreadable }),
  }
  const server = inboundServer(serverSettings, surroundings.log, (request, response) => present(request, response))
  const operations =
    settings.metricsPort === undefined
      ? undefined
      : operationsServer(settings, surroundings.log, (request, response) => present(request, response))
  let made = await make(settings)
  present = made.handler
  return { server, operations, replicas, gateway: () => made.gateway, swap: renew }

  async function make(settings: Settings): Promise<{ readonly gateway: Gateway; readonly handler: RequestListener }> {
    let handler!: RequestListener
    const attach = (made: RequestListener): Server => {
      handler = made
      return server
    }
    const gateway = await createGateway(settings, { ...surroundings, version: version(), attach, replicas })
    await gateway.app.ready()
    return { gateway, handler }
  }

  async function renew(settings: Settings): Promise<boolean> {
    const next = await make(settings)
    const patience = performance.now() + 2 * Math.max(...settings.targets.map(({ tokenTimeout }) => tokenTimeout))
    const ready = (): boolean => mayReplace(made.gateway.tokens(), next.gateway.tokens())
    while (!ready() && performance.now() < patience) await sleep(READY_POLL_MS)
    if (!ready()) {
      await next.gateway.app.close()
      return false
    }
    const { gateway: last } = made
    made = next
    present = next.handler
    cors = corsOf(settings)
    setTimeout(() => void last.app.close(), settings.shutdownTimeout).unref()
    return true
  }
}

/**
 * Whether a gateway whose targets have these tokens may take the place of the current one: no target loses the token
 * that it has now, and one target has a token. A target that has failed, now or as a new one, holds up none of the
 * others.
 */
export function mayReplace(current: ReadonlyMap<string, TokenStatus>, next: ReadonlyMap<string, TokenStatus>): boolean {
  return (
    isReady([...next.values()]) &&
    [...next].every(([name, status]) => status === 'valid' || current.get(name) !== 'valid')
  )
}
