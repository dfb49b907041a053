import { load } from '../config/load.ts'
import type { CommandIo, Io } from './command-io.ts'

/**
 * Loads the settings for a command.
 *
 * @throws {SettingsError}
 */
export async function withSettings(config: string | undefined, io: Io): Promise<CommandIo> {
  const { settings, settingsFile, env, warnings } = load(config)
  const { agentFor } = await import('./agent.ts')
  return { ...io, settings, settingsFile, agent: agentFor(settings).reads, env, warnings }
}
