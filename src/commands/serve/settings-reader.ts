import { readFileSync } from 'node:fs'

import { load } from '../../config/load.ts'
import { environment } from '../../config/process-variables.ts'
import type { Settings } from '../../config/schema.ts'
import { settingsPath } from '../../config/settings-file.ts'

/**
 * Reads the settings again while the gateway runs: `undefined` if their files are the same as those of the settings in
 * use.
 *
 * @throws {SettingsError}
 */
export type SettingsReader = () => NewSettings | undefined

/** Settings that were read again. */
export interface NewSettings {
  readonly settings: Settings
  /** Reports that these settings are in use now. Until then they are read again each time. */
  readonly applied: () => void
}

/**
 * A reader of the settings of this process, which are in use.
 *
 * @param config the option `--config`
 */
export function settingsReader(config: string | undefined): SettingsReader {
  let inUse = textOfFiles(config)
  return () => {
    const text = textOfFiles(config)
    if (text === inUse) return undefined
    return {
      settings: load(config).settings,
      applied() {
        inUse = text
      },
    }
  }
}

/** The text of the files that settings are read from, or why there is none. */
function textOfFiles(config: string | undefined): string {
  return [settingsPath(environment(), config), '.env'].map(textOf).join('\0')
}

function textOf(path: string | undefined): string {
  try {
    return path === undefined ? '' : readFileSync(path, 'utf8')
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}
