import inspector from 'node:inspector'
import { constants } from 'node:os'

import { loggedError } from '../../logging/logged-error.ts'

/**
 * Closes the ways by which others get hold of what is in the process' memory. Called first of all: until then SIGUSR1
 * opens
 * Node's inspector, whose port gives every secret to whoever reaches it.
 */
export function guardProcess(): void {
  // A listener takes the place of Node's own; SIGUSR2 would end the process. Windows has neither.
  const signals = Object.keys(constants.signals).filter((name) => /^SIGUSR[12]$/.test(name))
  for (const signal of signals) process.on(signal, () => undefined)
  // Node would print the error as an object, with all that it carries, such as the address that cannot be parsed.
  process.on('uncaughtException', (error) => {
    process.stderr.write(
      `dynamics-gateway ends, for a reason that it does not know: ${JSON.stringify(loggedError(error))}\n`,
    )
    process.exit(1)
  })
  // Reports hold the environment, and with it secrets. Node 20 cannot leave it out, and makes none.
  // @until Node 22, whose reports leave the environment out
  Object.assign(process.report, {
    excludeEnv: true,
    reportOnFatalError: false,
    reportOnSignal: false,
    reportOnUncaughtException: false,
  })
}

/**
 * What lays the process open that was started with these options, as sentences.
 *
 * @param options of Node: from the command line and from NODE_OPTIONS
 */
export function inspectionErrors(
  { allowInspect }: { readonly allowInspect: boolean },
  options: readonly string[] = nodeOptions(),
): string[] {
  if (allowInspect) return []
  const open = inspector.url() !== undefined || options.some((option) => /^--inspect(?!-port|-publish)/.test(option))
  const dumps = options.find((option) => /^--(?:heapsnapshot[-_]|abort[-_]on[-_]uncaught)/.test(option))
  return [
    ...(open ? [INSPECTOR] : []),
    ...(dumps === undefined
      ? []
      : [`${dumps} writes the memory, with all secrets, to a file: start without it, or set ALLOW_INSPECT=true.`]),
  ]
}

const INSPECTOR =
  "Node's inspector is on, and whoever reaches its port can read every secret: " +
  'start without --inspect, or set ALLOW_INSPECT=true where nobody else can.'

function nodeOptions(): string[] {
  return [...process.execArgv, ...splitNodeOptions(process.env['NODE_OPTIONS'] ?? '')]
}

/**
 * The options in `NODE_OPTIONS` as Node reads them: separated by spaces, with double quotes around any part of one and
 * a backslash before a character inside quotes.
 *
 * @see https://nodejs.org/api/cli.html#node_optionsoptions
 */
export function splitNodeOptions(text: string): string[] {
  return [...text.matchAll(/(?:"(?:\\.|[^"\\])*"?|[^\s"])+/gs)].map(([option]) =>
    option.replace(/"((?:\\.|[^"\\])*)"?/gs, (_, quoted: string) => quoted.replace(/\\(.)/gs, '$1')),
  )
}
