import type { Logger } from 'pino'

import { exposureCheck } from '../../config/cross-checks.ts'
import { changedForRestart } from '../../config/restart.ts'
import type { Settings } from '../../config/schema.ts'
import { SettingsError } from '../../config/settings-error.ts'
import { rethrowUnless } from '../../logging/rethrow-unless.ts'
import type { HotSwap } from './hot-swap.ts'
import { logTargets } from './log-targets.ts'
import type { NewSettings, SettingsReader } from './settings-reader.ts'

/** The input of a reload. */
interface Reloaded {
  readonly hotSwap: HotSwap
  /** The settings that the gateway was started with. */
  readonly settings: Settings
  readonly log: Logger
  readonly reader: SettingsReader
}

/**
 * Reads credentials and settings again. If the settings have changed, it replaces the gateway. A later call must wait
 * for the end of this one: otherwise older settings could replace newer ones.
 */
export async function reload({ hotSwap, settings, log, reader }: Reloaded): Promise<void> {
  hotSwap.gateway().reload()
  const read = readAgain(reader, log)
  if (read === 'invalid') return
  if (read === undefined) return log.info('the settings have not changed')
  const { settings: next, applied } = read
  const needRestart = changedForRestart(settings, next)
  if (needRestart.length > 0) log.warn({ settings: needRestart }, 'these settings have changed and need a restart')
  // The listener stays, even if the new settings have another address.
  const faults: string[] = []
  exposureCheck({ ...next, host: settings.host }, faults)
  if (faults.length > 0) return log.error({ faults }, INVALID_SETTINGS)
  const outcome = await hotSwap.swap(next)
  if (outcome === 'no token') {
    log.error('no token could be acquired with the new settings, so the current ones stay in use')
  }
  if (outcome !== 'swapped') return
  applied()
  logTargets(next, log)
}

const INVALID_SETTINGS = 'the settings have errors, so the current ones stay in use'

function readAgain(reader: SettingsReader, log: Logger): NewSettings | undefined | 'invalid' {
  try {
    return reader()
  } catch (error) {
    rethrowUnless(error, SettingsError)
    log.error({ faults: error.errors }, INVALID_SETTINGS)
    return 'invalid'
  }
}
