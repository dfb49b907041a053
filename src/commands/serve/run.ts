import type { Logger } from 'pino'

import { unwritable } from '../../config/machine-checks.ts'
import type { Settings } from '../../config/schema.ts'
import { SettingsError } from '../../config/settings-error.ts'
import { watchOverload } from '../../door/overload.ts'
import { openAuditLog } from '../../observe/audit-log.ts'
import type { AuditLog } from '../../observe/audit-log.ts'
import { createInspector } from '../../observe/inspector/inspector.ts'
import { createTracer } from '../../observe/tracing/tracer.ts'
import type { OutboundAgent } from '../../outbound/agent.ts'
import type { ReplicaTimes } from '../../replicas/redis.ts'
import { drainOf } from '../../server/drain.ts'
import { listen, localAddress } from '../../server/listen.ts'
import { version } from '../version.ts'
import { openHotSwap } from './hot-swap.ts'
import { logTargets } from './log-targets.ts'
import { oneAtATime } from './one-at-a-time.ts'
import { reload } from './reload.ts'
import type { SettingsReader } from './settings-reader.ts'

/** A running gateway. */
export interface Running {
  /** The URL at which it listens. */
  readonly address: string
  /** The link to the request inspector, if it is enabled. It contains a secret: it is printed, and never logged. */
  readonly inspectorLink: string | undefined
  /** The URL of the second listener, for probes and Prometheus; `undefined` if there is none. */
  readonly operationsAddress: string | undefined
  readonly log: Logger
  /** Resolves when the gateway has stopped. */
  readonly stopped: Promise<void>
  /** Stops the gateway: it is not ready any longer, and running requests finish. A second call stops it at once. */
  readonly stop: () => void
  /**
   * Reads settings and credentials again. The current ones stay in use until the new ones have a token. A call during
   * another one takes effect after it. If the audit log was renamed, a new one is opened at once.
   */
  readonly reload: () => void
}

/** The reader of settings that do not change while the gateway runs. */
const fixedSettings: SettingsReader = () => undefined

/**
 * Starts a gateway on `agent`.
 *
 * @param reader reads the settings again
 * @param replicaTimes for tests
 */
export async function run(
  settings: Settings,
  log: Logger,
  agent: OutboundAgent,
  reader: SettingsReader = fixedSettings,
  replicaTimes?: ReplicaTimes,
): Promise<Running> {
  const auditLog = auditLogOf(settings, log)
  const inspector = settings.inspector ? createInspector() : undefined
  const tracer = settings.tracing === undefined ? undefined : await createTracer(settings.tracing, version(), log)
  const overload = watchOverload()
  const hotSwap = await openHotSwap(settings, { agent, log, auditLog, inspector, tracer, overload, replicaTimes })
  const { server, operations } = hotSwap
  const address = await listenAll().catch(async (error: unknown) => {
    server.close()
    await hotSwap.gateway().app.close()
    await hotSwap.replicas.close()
    await agent.destroy()
    await tracer?.close()
    overload.close()
    throw error
  })
  logTargets(settings, log)
  log.info({ address: address.main, metrics: address.operations }, 'listening')
  const drain = drainOf(
    { server, stop, close: () => hotSwap.gateway().app.close() },
    { delay: settings.shutdownDelay, timeout: settings.shutdownTimeout },
  )
  function stop(): void {
    hotSwap.stop()
    inspector?.close()
  }
  const reloadNext = oneAtATime(() =>
    reload({ hotSwap, settings, log, reader }).catch((error: unknown) =>
      log.error({ err: error }, 'the settings could not be read again'),
    ),
  )
  const stopped = drain.finished
    .then(() => endOperations())
    .then(() => hotSwap.replicas.close())
    .then(() => agent.destroy())
    .then(() => tracer?.close())
    .finally(() => {
      overload.close()
      auditLog?.close()
    })
    .catch((error: unknown) => log.warn({ err: error }, 'shutdown incomplete'))
  return {
    address: address.main,
    operationsAddress: address.operations,
    inspectorLink: inspector === undefined ? undefined : linkOf(address.main, inspector.keys.token),
    log,
    stopped,
    stop: drain.next,
    reload() {
      auditLog?.reopen()
      reloadNext()
    },
  }

  async function listenAll(): Promise<{ readonly main: string; readonly operations: string | undefined }> {
    const { metricsHost, metricsPort } = settings
    const main = await listen(server, settings)
    if (operations === undefined) return { main, operations: undefined }
    const where = { host: metricsHost, port: metricsPort! }
    return { main, operations: await listen(operations, where, 'METRICS_') }
  }

  /** Closes the second listener last, so that probes are answered until the last request has ended. */
  function endOperations(): void {
    operations?.close()
    operations?.closeAllConnections()
  }
}

/** The link that opens the inspector on this machine. */
function linkOf(address: string, token: string): string {
  return `${localAddress(address)}/-/inspector?token=${token}`
}

function auditLogOf({ auditLog }: Settings, log: Logger): AuditLog | undefined {
  if (auditLog === undefined) return undefined
  try {
    return openAuditLog(auditLog, (error) =>
      log.error({ code: (error as NodeJS.ErrnoException).code }, 'the audit log cannot be written'),
    )
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new SettingsError([`AUDIT_LOG (auditLog) ${unwritable(code)}`])
  }
}
