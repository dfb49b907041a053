import inspector from 'node:inspector'
import { constants } from 'node:os'

import { loggedError } from '../../logging/logged-error.ts'

/**
 * Prevents others from reading the memory of the process. It must be called first: until then SIGUSR1 opens Node's
 * inspector, and anybody who can connect to its port can read every secret.
 */
export function guardProcess(): void {
  // A listener replaces Node's own. Without one, SIGUSR2 would end the process. Windows has neither signal.
  const signals = Object.keys(constants.signals).filter((name) => /^SIGUSR[12]$/.test(name))
  for (const signal of signals) process.on(signal, () => undefined)
  // Node would print the error with all its properties, such as a URL that cannot be parsed.
  process.on('uncaughtException', (error) => {
    process.stderr.write(
      `dynamics-gateway ends because of an unexpected error: ${JSON.stringify(loggedError(error))}\n`,
    )
    process.exit(1)
  })
  // Reports contain the environment, and with it secrets. Node 20 cannot leave it out, so it writes no reports.
  // @until Node 22, whose reports leave the environment out
  Object.assign(process.report, {
    excludeEnv: true,
    reportOnFatalError: false,
    reportOnSignal: false,
    reportOnUncaughtException: false,
  })
}

/**
 * The Node options that expose the memory of the process, as sentences.
 *
 * @param options the options of Node, from the command line and from NODE_OPTIONS
 */
export function inspectionErrors(
  { allowInspect }: { readonly allowInspect: boolean },
  options: readonly string[] = nodeOptions(),
): string[] {
  if (allowInspect) return []
  const open = inspector.url() !== undefined || options.some((option) => /^--inspect(?!-port|-publish)/.test(option))
  const dumps = options.find((option) => /^--(?:heapsnapshot[-_]|abort[-_]on[-_]uncaught)/.test(option))
  return [
    ...(open ? [INSPECTOR_IS_ON] : []),
    ...(dumps === undefined
      ? []
      : [`${dumps} writes the memory, with all secrets, to a file: start without it, or set ALLOW_INSPECT=true.`]),
  ]
}

const INSPECTOR_IS_ON =
  "Node's inspector is enabled, and anybody who can connect to its port can read every secret: " +
  'start without --inspect, or set ALLOW_INSPECT=true if nobody else can connect.'

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
