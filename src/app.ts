import type { IncomingMessage } from 'node:http'

import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'

import { createResponseMemory } from './cache/response-memory.ts'
import authenticate, { knownCallers } from './callers/authenticate.ts'
import { runsAsCaller, runsAsPerson } from './config/credential.ts'
import type { Settings } from './config/schema.ts'
import apiRoot from './door/api-root.ts'
import browser from './door/browser.ts'
import head from './door/head.ts'
import host from './door/host.ts'
import overloadCheck from './door/overload.ts'
import type { Overload } from './door/overload.ts'
import { fromThisMachine } from './door/this-machine.ts'
import type { RequestRecord } from './dynamics/request-record.ts'
import type { AuditLog } from './observe/audit-log.ts'
import audit, { noteBatchEnd, noteBatchWrite } from './observe/audit.ts'
import { warnOfForeignLinks } from './observe/foreign-links.ts'
import { health, tokenStatus } from './observe/health.ts'
import type { TokenStatus } from './observe/health.ts'
import inspectorAccess from './observe/inspector/access.ts'
import type { Inspector } from './observe/inspector/inspector.ts'
import { inspectorRoutes } from './observe/inspector/routes.ts'
import { createMetrics } from './observe/metrics.ts'
import { observeRequests } from './observe/observe-requests.ts'
import { explainRefusal, explainRefusals } from './observe/refusals.ts'
import { statusPage } from './observe/status-page.ts'
import type { Tracer } from './observe/tracing/tracer.ts'
import { entitySetOf } from './odata/entity-set.ts'
import type { OutboundAgent } from './outbound/agent.ts'
import { jsonReader } from './outbound/read-json.ts'
import { proxy } from './proxy/proxy.ts'
import bodyQueries from './queries/body-query.ts'
import type { Replicas } from './replicas/shared-state.ts'
import enforceRules, { authorizePart } from './rules/enforce.ts'
import addedHeaders from './server/added-headers.ts'
import cors from './server/cors.ts'
import { fastifyApp } from './server/fastify-app.ts'
import type { Attach } from './server/fastify-app.ts'
import { onOperationsListener } from './server/operations-listener.ts'
import { createTargetRuntime, prefixOf } from './target-runtime.ts'
import type { TargetRuntime } from './target-runtime.ts'
import impersonate from './users/impersonate.ts'

/** What the gateway needs from its process. */
export interface Dependencies {
  /** The only way out. */
  readonly agent: OutboundAgent
  readonly log: Logger
  /** The gateway's version, for the status page. */
  readonly version: string
  readonly attach: Attach
  /** What is shared with other replicas: it outlives a change of the settings. */
  readonly replicas: Replicas
  /** The audit log, if there is one. */
  readonly auditLog?: Pick<AuditLog, 'write'> | undefined
  /** The request inspector, if it is on. */
  readonly inspector?: Inspector | undefined
  /** Traces requests, where there is a collector. */
  readonly tracer?: Tracer | undefined
  /** Whether the process has too much to do. It outlives a change of the settings. */
  readonly overload: Pick<Overload, 'lag' | 'overloaded'>
}

/** A gateway that is ready to listen. */
export interface Gateway {
  readonly app: FastifyInstance
  /** Makes it not ready, and closes connections after their current request. */
  readonly stop: () => void
  /** The token state of each target, by the target's name. */
  readonly tokens: () => ReadonlyMap<string, TokenStatus>
  /** Reads credentials again, and fetches tokens with them while the current ones stay in use. */
  readonly reload: () => void
}

/** Creates the gateway, with its parts in the order in which a request meets them. */
export async function createGateway(
  settings: Settings,
  { agent, log, auditLog, inspector, tracer, overload, version, attach, replicas }: Dependencies,
): Promise<Gateway> {
  let ending = false
  const stopping = (): boolean => ending
  const app = fastifyApp(attach, settings.targets.map(prefixOf))

  // The head of every request.
  app.decorateRequest('user', undefined)
  app.decorateRequest('tokens', undefined)
  app.decorateRequest('exchange')
  const metrics = createMetrics(overload)
  app.addHook('onRequest', observeRequests({ log, metrics, tracer, inspector, targetOf }))
  await app.register(addedHeaders)
  await app.register(cors, settings)

  const memory = createResponseMemory(settings.cacheMemory)
  metrics.showMemory(memory.size)
  const targets = settings.targets.map((target) =>
    createTargetRuntime(target, { agent, log, metrics, bodyLimit: settings.bodyLimit, replicas, memory }),
  )
  const targetsByName = new Map(targets.map((runtime) => [runtime.target.name, runtime]))
  app.addHook('onClose', async () => targets.forEach(({ close }) => close()))
  /** The target of a request; `undefined` if it was refused before. */
  function targetOf({ entitySet, target: name }: RequestRecord): TargetRuntime | undefined {
    return entitySet === undefined ? undefined : targetsByName.get(name)
  }

  // The gateway's own addresses: probes from anywhere but a rebound name, what shows more not to every page
  // in a browser, and where callers are listed only to them and to this machine.
  const identify = knownCallers(settings, jsonReader(agent.reads))
  await app.register(async (probes) => {
    await probes.register(head, settings)
    await probes.register(host, { ...settings, hostless: true })
    await probes.register(health, { targets, stopping })
  })
  await app.register(async (own) => {
    await own.register(head, settings)
    await own.register(host, settings)
    await own.register(browser, settings)
    const near = fromThisMachine(settings.host)
    const exempt = (request: IncomingMessage): boolean => onOperationsListener(request) || near(request)
    await own.register(authenticate, { identify, exempt })
    await own.register(statusPage, { version, targets, hasInspector: inspector !== undefined })
    own.get('/-/metrics', async ({ headers }, reply) => {
      const { contentType, text } = await metrics.page(headers.accept)
      return reply.type(contentType).send(text)
    })
  })
  if (inspector !== undefined) {
    await app.register(async (own) => {
      await own.register(head, settings)
      await own.register(inspectorAccess, { settings, identify, keys: inspector.keys })
      await own.register(inspectorRoutes, { inspector })
    })
  }

  // The door. Behind it the targets, each below its prefix.
  await app.register(async (door) => {
    if (auditLog !== undefined) await door.register(audit, { targets, auditLog })
    await door.register(head, settings)
    await door.register(host, settings)
    await door.register(browser, settings)
    await door.register(overloadCheck, { overload })
    await door.register(authenticate, { identify })
    for (const { target, prefix, send, credential, directory, activity } of targets) {
      await door.register(
        async (below) => {
          const isDelegated = runsAsPerson(target.credential)
          const defaultUser = isDelegated ? 'signed-in person' : 'application user'
          below.addHook('onRequest', ({ exchange: { record }, originalUrl }, _reply, next) => {
            record.target = target.name
            record.defaultUser = defaultUser
            record.entitySet = entitySetOf(originalUrl.slice(prefix.length))
            next()
          })
          const logRefusal = explainRefusals(log, isDelegated, activity.faulted)
          await below.register(bodyQueries)
          await below.register(apiRoot, { target, prefix })
          await below.register(enforceRules, { target, prefix, log })
          await below.register(impersonate, {
            target,
            directory,
            onBehalfOf: credential.onBehalfOf,
            asCallersOnly: runsAsCaller(target.credential),
          })
          await below.register(proxy, {
            ...settings,
            target,
            pathPrefix: prefix,
            send,
            stopping,
            explain: (refusal) => {
              logRefusal(refusal)
              if (inspector !== undefined) refusal.record.explanation = explainRefusal(refusal, isDelegated)
            },
            foreign: warnOfForeignLinks(log),
            authorizePart: (request, part) => {
              noteBatchWrite(request, part)
              authorizePart(request, part, log)
            },
            batchRead: noteBatchEnd,
          })
        },
        { prefix },
      )
    }
  })
  targets.forEach(({ warmUp }) => warmUp())

  return {
    app,
    stop: () => {
      ending = true
    },
    tokens: () => new Map(targets.map(({ name, credential }) => [name, tokenStatus(credential)])),
    reload: () => targets.forEach(({ credential }) => credential.reload()),
  }
}
