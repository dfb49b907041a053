import type { Logger } from 'pino'

import { exposureCheck } from '../../config/cross-checks.ts'
import { load, settingsText } from '../../config/load.ts'
import { unwritable } from '../../config/machine-checks.ts'
import { changedForRestart } from '../../config/restart.ts'
import type { Settings } from '../../config/schema.ts'
import { SettingsError } from '../../config/settings-error.ts'
import { openAuditLog } from '../../observe/audit-log.ts'
import type { AuditLog } from '../../observe/audit-log.ts'
import { createInspector } from '../../observe/inspector/inspector.ts'
import { createLog } from '../../observe/log.ts'
import { createTracer } from '../../observe/tracing/tracer.ts'
import { createAgent } from '../../outbound/agent.ts'
import type { OutboundAgent } from '../../outbound/agent.ts'
import { drainOf } from '../../server/drain.ts'
import { listen } from '../../server/listen.ts'
import type { Io } from '../command-io.ts'
import { credentialFileErrors } from '../credential-files.ts'
import { version } from '../version.ts'
import { featuresOf } from './features.ts'
import { openHotSwap } from './hot-swap.ts'
import { inspectionErrors } from './process-guard.ts'

/** A gateway that runs. */
export interface Running {
  /** Where it listens. */
  readonly address: string
  /** What opens the request inspector, where it is switched on. Holds a secret: it is printed, and never logged. */
  readonly inspectorLink: string | undefined
  /** Where probes and Prometheus may ask besides; `undefined`: nowhere. */
  readonly operationsAddress: string | undefined
  readonly log: Logger
  /** Ends when the gateway has stopped. */
  readonly stopped: Promise<void>
  /** Not ready from now on; running requests finish, then `stopped` ends. A second call ends it at once. */
  readonly stop: () => void
  /**
   * Reads settings and credentials again, the present ones staying in use until the new ones have a token, and goes on
   * in a new audit log where the old one was renamed.
   */
  readonly reload: () => void
}

/**
 * Runs the gateway until a signal stops it.
 *
 * @returns the exit status
 * @throws {SettingsError}
 */
export async function serve({ config }: { readonly config?: string | undefined }, { stderr }: Io): Promise<number> {
  const { settings, source, warnings } = load(config)
  const faults = [...inspectionErrors(settings), ...credentialFileErrors(settings)]
  if (faults.length > 0) throw new SettingsError(faults)
  const log = createLog(settings, (writeOut) => process.on('exit', writeOut))
  log.info({ version: version(), settings: source, on: featuresOf(settings) }, 'starting')
  for (const warning of warnings) log.warn(warning)
  const running = await run(settings, log, agentFor(settings), settingsReader(config))
  if (running.inspectorLink !== undefined) stderr.write(`Request inspector: ${running.inspectorLink}\n`)
  const stop = (signal: NodeJS.Signals): void => {
    log.info({ signal }, 'stopping')
    running.stop()
  }
  process
    .on('SIGTERM', stop)
    .on('SIGINT', stop)
    .on('SIGHUP', (signal) => {
      log.info({ signal }, 'reading settings and credentials again')
      running.reload()
    })
  await running.stopped
  log.info('stopped')
  log.flush()
  return 0
}

/** Reads the settings again. The function returns `undefined` while the files have not changed. */
function settingsReader(config: string | undefined): () => Settings | undefined {
  let last = settingsText(process.env, config)
  return () => {
    const now = settingsText(process.env, config)
    if (now === last) return undefined
    last = now
    return load(config).settings
  }
}

/** Connections to one origin beyond the requests at Dynamics: one in reserve, and those whose responses are dropped. */
const SPARE_CONNECTIONS = 16

/** The agent that all targets share. */
export function agentFor({ targets, proxies }: Settings): OutboundAgent {
  return createAgent({
    connectTimeout: Math.max(...targets.map(({ connectTimeout }) => connectTimeout)),
    connections: targets.reduce((sum, { concurrency }) => sum + concurrency, SPARE_CONNECTIONS),
    proxies,
  })
}

/**
 * Starts a gateway on `agent`.
 *
 * @param readSettings reads the settings again; `undefined` where they have not changed
 */
export async function run(
  settings: Settings,
  log: Logger,
  agent: OutboundAgent,
  readSettings: () => Settings | undefined = () => undefined,
): Promise<Running> {
  const auditLog = auditLogOf(settings, log)
  const inspector = settings.inspector ? createInspector() : undefined
  const tracer = settings.tracing === undefined ? undefined : await createTracer(settings.tracing, version(), log)
  const front = await openHotSwap(settings, { agent, log, auditLog, inspector, tracer })
  const { server, operations } = front
  const address = await listenAll().catch(async (error: unknown) => {
    server.close()
    await front.gateway().app.close()
    await front.replicas.close()
    await agent.destroy()
    await tracer?.close()
    throw error
  })
  logTargets(settings)
  log.info({ address: address.main, metrics: address.operations }, 'listening')
  const drain = drainOf(
    { server, stop, close: () => front.gateway().app.close() },
    { delay: settings.shutdownDelay, timeout: settings.shutdownTimeout },
  )
  function stop(): void {
    front.gateway().stop()
    inspector?.close()
  }
  const stopped = drain.over
    .then(() => endOperations())
    .then(() => front.replicas.close())
    .then(() => agent.destroy())
    .then(() => tracer?.close())
    .finally(() => auditLog?.close())
    .catch((error: unknown) => log.warn({ err: error }, 'shutdown incomplete'))
  return {
    address: address.main,
    operationsAddress: address.operations,
    inspectorLink: inspector === undefined ? undefined : linkOf(address.main, inspector.keys.token),
    log,
    stopped,
    stop: drain.next,
    reload: () =>
      void reload().catch((error: unknown) => log.error({ err: error }, 'the settings could not be read again')),
  }

  async function listenAll(): Promise<{ readonly main: string; readonly operations: string | undefined }> {
    const { metricsHost, metricsPort } = settings
    const main = await listen(server, settings)
    if (operations === undefined) return { main, operations: undefined }
    const where = { host: metricsHost, port: metricsPort! }
    return { main, operations: await listen(operations, where, 'METRICS_') }
  }

  /** Probes are answered until the last request is. */
  function endOperations(): void {
    operations?.close()
    operations?.closeAllConnections()
  }

  async function reload(): Promise<void> {
    front.gateway().reload()
    auditLog?.reopen()
    const next = readAgain()
    if (next === undefined) return
    const fixed = changedForRestart(settings, next)
    if (fixed.length > 0) log.warn({ settings: fixed }, 'these settings have changed and need a restart')
    // It keeps its listener, even if the new settings have another address.
    const faults: string[] = []
    exposureCheck({ ...next, host: settings.host }, faults)
    if (faults.length > 0) return log.error({ faults }, INVALID_SETTINGS)
    if (await front.swap(next)) logTargets(next)
    else log.error('no token could be acquired with the new settings, so the present ones stay in use')
  }

  function readAgain(): Settings | undefined {
    try {
      return readSettings()
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error
      log.error({ faults: error.errors }, INVALID_SETTINGS)
      return undefined
    }
  }

  function logTargets({ targets }: Settings): void {
    for (const { name, url, credential, impersonation } of targets) {
      log.info(
        {
          target: name,
          environment: url.origin,
          apiRoot: url.apiRoot,
          credential: credential.kind,
          impersonation: impersonation.mode,
        },
        'target configured',
      )
    }
  }
}

/** The link that opens the inspector on this machine. */
function linkOf(address: string, token: string): string {
  const here = address.replace(/\/\/(?:0\.0\.0\.0|\[::\])(?=[:/]|$)/, '//127.0.0.1')
  return `${here}/-/inspector?token=${token}`
}

const INVALID_SETTINGS = 'the settings have errors, so the present ones stay in use'

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
