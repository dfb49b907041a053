import type { Logger } from 'pino'

import { createGateway } from '../app.ts'
import type { Gateway } from '../app.ts'
import type { Settings } from '../config.ts'
import { SettingsFault } from '../config/load.ts'
import { createAgent } from '../dynamics/agent.ts'
import type { OutboundAgent } from '../dynamics/agent.ts'
import { openAuditLog } from '../observe/audit-log.ts'
import type { AuditLog } from '../observe/audit-log.ts'
import { createLog } from '../observe/log.ts'
import { listen } from './listen.ts'
import { inspectionFaults } from './process-guard.ts'

/** How long connections that carry no request may still bring one after the gateway was told to stop. */
const LINGER = 300

/** A gateway that runs. */
export interface Running {
  /** Where it listens. */
  readonly address: string
  readonly log: Logger
  /** Ends when the gateway has stopped. */
  readonly stopped: Promise<void>
  /** Not ready from now on; running requests finish, then `stopped` ends. A second call ends it at once. */
  readonly stop: () => void
  /** Reads credentials again, the present tokens staying in use meanwhile, and goes on in a new audit log where the old one was renamed. */
  readonly reload: () => void
}

/** Runs the gateway until it is told to stop, and gives the exit status. */
export async function serve(settings: Settings): Promise<number> {
  const faults = inspectionFaults(settings)
  if (faults.length > 0) throw new SettingsFault(faults)
  const log = await createLog(settings)
  const running = await run(settings, log, agentFor(settings))
  const stop = (signal: NodeJS.Signals): void => {
    log.info({ signal }, 'stopping')
    running.stop()
  }
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', (signal) => {
    log.info({ signal }, 'reading credentials again')
    running.reload()
  })
  await running.stopped
  log.info('stopped')
  log.flush()
  return 0
}

/** The agent that all targets share. */
export function agentFor({ targets }: Settings): OutboundAgent {
  return createAgent({
    connectTimeout: Math.max(...targets.map(({ connectTimeout }) => connectTimeout)),
    connections: Math.max(...targets.map(({ concurrency }) => concurrency)) + 16,
  })
}

/** Starts a gateway on `agent`. */
export async function run(settings: Settings, log: Logger, agent: OutboundAgent): Promise<Running> {
  const auditLog = auditLogOf(settings, log)
  const gateway = await createGateway(settings, { agent, log, auditLog })
  const address = await listen(gateway, settings).catch(async (error: unknown) => {
    await gateway.app.close()
    await agent.destroy()
    throw error
  })
  for (const { name, url, credential, impersonation } of settings.targets) {
    log.info({ target: name, environment: url.origin, apiRoot: url.apiRoot, credential: credential.kind, impersonation: impersonation.mode }, 'forwards')
  }
  log.info({ address }, 'listening')
  const drain = drainOf(gateway, settings.shutdownTimeout)
  const stopped = drain.over.then(() => agent.destroy()).finally(() => auditLog?.close()).catch((error: unknown) => log.warn({ err: error }, 'not everything ended well'))
  const reload = (): void => {
    gateway.reload()
    auditLog?.reopen()
  }
  return { address, log, stopped, stop: drain.next, reload }
}

function auditLogOf({ auditLog }: Settings, log: Logger): AuditLog | undefined {
  if (auditLog === undefined) return undefined
  try {
    return openAuditLog(auditLog, (error) => log.error({ code: (error as NodeJS.ErrnoException).code }, 'the audit log cannot be written'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new SettingsFault([`AUDIT_LOG names a file that cannot be written (${code}): mend the path or its permissions.`])
  }
}

/**
 * How a gateway ends. First `next`: not ready; connections end with the request that they carry; running requests
 * finish, for `patience` milliseconds at most. Second `next`: at once.
 */
function drainOf({ app, stop }: Gateway, patience: number): { readonly over: Promise<void>, readonly next: () => void } {
  const { promise: over, resolve } = withResolvers()
  let close: (() => void) | undefined
  let linger: NodeJS.Timeout | undefined
  return {
    over,
    next: () => {
      if (close === undefined) {
        stop()
        const late = setTimeout(cut, patience)
        close = () => void app.close().finally(() => {
          clearTimeout(late)
          resolve()
        })
        linger = setTimeout(close, LINGER)
      } else {
        clearTimeout(linger)
        close()
        cut()
      }
    },
  }

  function cut(): void {
    app.server.closeAllConnections()
  }
}

/** `Promise.withResolvers`, which Node 20 lacks. */
function withResolvers(): { readonly promise: Promise<void>, readonly resolve: () => void } {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((resolved) => { resolve = resolved })
  return { promise, resolve }
}
