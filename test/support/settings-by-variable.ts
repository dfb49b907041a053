import { ALL_SETTINGS } from '../../src/config/all-settings.ts'
import type { Setting } from '../../src/config/setting.ts'

/**
 * Every setting by its environment variable. One variable can stand for a setting of several kinds
 * of credential.
 */
export function settingsByVariable(): ReadonlyMap<string, Setting<unknown>> {
  const found = new Map<string, Setting<unknown>>()
  for (const { setting } of ALL_SETTINGS) {
    if (setting.env !== undefined && !found.has(setting.env)) found.set(setting.env, setting)
  }
  return found
}
