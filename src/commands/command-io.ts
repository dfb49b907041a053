import type { Dispatcher } from 'undici'

import type { Settings } from '../config/schema.ts'

/** What a command for the one who sets the gateway up works with. */
export interface CommandIo {
  readonly settings: Settings
  /** The only way out of the process. */
  readonly agent: Dispatcher
  readonly env: Readonly<Record<string, string | undefined>>
  /** What in the settings may not be what was meant, as sentences. */
  readonly warnings?: readonly string[]
  readonly stdout: Writer
  readonly stderr: Writer
  /** Ends a command that waits for a person. */
  readonly signal?: AbortSignal
  /** The agent leads to an emulator, so names and certificates are not looked at. */
  readonly emulated?: boolean
}

export interface Writer {
  readonly write: (text: string) => unknown
  /** Whether a person watches, so that progress may be shown and wiped out again. */
  readonly isTTY?: boolean | undefined
}
