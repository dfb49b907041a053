import type { Dispatcher } from 'undici'

import type { Settings } from '../config/schema.ts'

/** The output of a command. */
export interface Io {
  readonly stdout: Writer
  readonly stderr: Writer
  /** Cancels a command that waits for a person. */
  readonly signal?: AbortSignal
}

/** The input of a command that needs the settings and a connection to Entra or Dynamics. */
export interface CommandIo extends Io {
  readonly settings: Settings
  /** The path of the settings file, if there is one. */
  readonly settingsFile?: string | undefined
  /** The agent for all outbound requests. */
  readonly agent: Dispatcher
  readonly env: Readonly<Record<string, string | undefined>>
  /** Warnings about settings that are valid but may be unintended. */
  readonly warnings?: readonly string[]
  /** Whether the agent connects to an emulator, so that names and certificates are not checked. */
  readonly emulated?: boolean
}

export interface Writer {
  readonly write: (text: string) => unknown
  /** Whether the output is a terminal, so that progress can be shown and erased. */
  readonly isTTY?: boolean | undefined
}
