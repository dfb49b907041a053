import type { Io } from './command-io.ts'
import { DYNAMICS_FAULTS } from './demo/dynamics-faults.ts'
import type { DynamicsFault } from './demo/dynamics-faults.ts'

/** One command of the command line. */
export interface Command {
  /** What it does, as the rest of a sentence that begins with its name. */
  readonly description: string
  /** Its syntax, after `dynamics-gateway`. */
  readonly usage: string
  readonly options: Options
  /** The exit statuses. */
  readonly status: string
  /** Runs it and returns the exit status. */
  readonly run: (options: Values<Options>, io: Io) => Promise<number>
}

/** The options of a command by name, in the form of `parseArgs`. */
export type Options = Readonly<Record<string, Option>>

export interface Option {
  readonly type: 'string' | 'boolean'
  readonly description: string
  /** What `--help` shows for the value. */
  readonly value?: string
  /** Reads the value. Throws an {@link OptionError}. */
  readonly parse?: (text: string, option: string) => string | number
}

/** The values of the given options. */
export type Values<O extends Options> = {
  readonly [K in keyof O]?: ValueOf<O[K]> | undefined
}

type ValueOf<O> = O extends { readonly parse: (text: string, option: string) => infer V }
  ? V
  : O extends { readonly type: 'boolean' }
    ? boolean
    : O extends { readonly type: 'string' }
      ? string
      : string | number | boolean

/** The value of an option is wrong. The message says what to write. */
export class OptionError extends Error {}

/** Defines a command whose `run` gets the values of its options. */
export function command<const O extends Options>(
  of: Omit<Command, 'options' | 'run'> & {
    readonly options: O
    readonly run: (options: Values<O>, io: Io) => Promise<number>
  },
): Command {
  // The command line passes the values that it parsed with these options.
  return { ...of, run: (options, io) => of.run(options as Values<O>, io) }
}

/** Reads a port number of at least `least`. */
export function portFrom(least: 0 | 1): (text: string, option: string) => number {
  return (text, option) => {
    const port = /^\d{1,5}$/.test(text) ? Number(text) : -1
    if (port >= least && port <= 65_535) return port
    throw new OptionError(`--${option} must be a port number from ${least} to 65535.`)
  }
}

/** Reads a fault to emulate: the name of a fault of the environment, or an error code of Entra. */
export function emulatedFault(text: string, option: string): DynamicsFault | number {
  const named = DYNAMICS_FAULTS.find((name) => name === text)
  if (named !== undefined) return named
  try {
    return aadstsNumber(text, option)
  } catch {
    throw new OptionError(
      `--${option} must be an error code of Entra, such as AADSTS7000222, or one of ${DYNAMICS_FAULTS.join(', ')}.`,
    )
  }
}

/** Reads the number of an error code of Entra: `AADSTS7000222`, or only the digits. */
function aadstsNumber(text: string, option: string): number {
  const [, digits] = /^(?:AADSTS)?(\d{4,7})$/i.exec(text) ?? []
  if (digits !== undefined) return Number(digits)
  throw new OptionError(`--${option} must be an error code of Entra, such as AADSTS7000222.`)
}
