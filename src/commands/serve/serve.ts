import { load } from '../../config/load.ts'
import { SettingsError } from '../../config/settings-error.ts'
import { createLog } from '../../observe/log.ts'
import { agentFor } from '../agent.ts'
import type { Io } from '../command-io.ts'
import { credentialFileErrors } from '../credential-files.ts'
import { version } from '../version.ts'
import { featuresOf } from './features.ts'
import { inspectionErrors } from './process-guard.ts'
import { run } from './run.ts'
import { settingsReader } from './settings-reader.ts'

/**
 * Runs the gateway until a signal stops it.
 *
 * @returns the exit status
 * @throws {SettingsError}
 */
export async function serve({ config }: { readonly config?: string | undefined }, { stderr }: Io): Promise<number> {
  const { settings, settingsFile, source, warnings } = load(config)
  const faults = [...inspectionErrors(settings), ...credentialFileErrors(settings, settingsFile)]
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
