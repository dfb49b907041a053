import { parseArgs } from 'node:util'

import { environment, load, loadListener, SettingsFault, settingsText } from '../config/load.ts'
import { nearest } from '../config/nearest.ts'
import type { Settings } from '../config/schema.ts'
import type { CommandIo } from './command-io.ts'
import { commands, help, overview } from './commands.ts'
import type { Command, CommandName } from './commands.ts'
import { version } from './version.ts'

/** What was written behind a command. */
type Options = Readonly<Record<string, string | boolean | undefined>>

/** Picks one command, and gives the exit status. */
export async function main(words: readonly string[]): Promise<number> {
  const [first = 'serve', ...rest] = words
  if (first === '--version' || first === '-v') return print(`${version()}\n`)
  if (first === '--help' || first === '-h') return print(overview(version()))
  if (first === 'help') {
    return isCommand(rest[0] ?? '')
      ? print(help(rest[0] as CommandName))
      : rest[0] === undefined
        ? print(overview(version()))
        : unknown(rest[0])
  }
  // Options alone belong to `serve`.
  const [name, options] = first.startsWith('-') ? (['serve', words] as const) : ([first, rest] as const)
  if (!isCommand(name)) return unknown(name)
  try {
    return await run(name, options)
  } catch (error) {
    if (!(error instanceof SettingsFault)) throw error
    return complain(`${error.message}\n\nEvery setting: config/README.md. Without settings: dynamics-gateway demo\n`)
  }
}

async function run(name: CommandName, words: readonly string[]): Promise<number> {
  const options = read(name, words)
  if (typeof options === 'number') return options
  const { config } = options as { config?: string }
  switch (name) {
    case 'serve':
      return (await import('./serve/serve.ts')).serve(load(config), settingsReader(config))
    case 'check':
      return runCheck(options as { user?: string; json?: boolean }, config)
    case 'login':
      return withPort(options, async (port) =>
        (await import('./login/login.ts')).login(
          { port, device: options['device'] === true },
          await surroundings(config),
        ),
      )
    case 'logout':
      return (await import('./login/logout.ts')).logout({}, await surroundings(config))
    case 'consent':
      return withPort(options, async (port) =>
        (await import('./consent.ts')).consent({ port, wait: options['wait'] === true }, await surroundings(config)),
      )
    case 'key':
      return (await import('./key.ts')).key(print)
    case 'demo':
      return (await import('./demo/demo.ts')).demo(options)
    case 'healthcheck':
      return (await import('./healthcheck.ts')).healthcheck(loadListener(environment(), config))
  }
}

/** With `--json` the faults of settings are JSON too, as are those of options. */
async function runCheck(
  options: { readonly user?: string; readonly json?: boolean },
  config: string | undefined,
): Promise<number> {
  const { check } = await import('./check/check.ts')
  try {
    return await check(options, await surroundings(config))
  } catch (error) {
    if (!(error instanceof SettingsFault) || options.json !== true) throw error
    return printJson({ ok: false, faults: error.faults })
  }
}

/** Runs a command with the port that `--port` names, if it is one. */
async function withPort(options: Options, command: (port: number | undefined) => Promise<number>): Promise<number> {
  const { port } = options
  if (port === undefined) return command(undefined)
  const number = /^\d{1,5}$/.test(String(port)) ? Number(port) : 0
  return number >= 1 && number <= 65_535
    ? command(number)
    : complain(`--port is no port: write a whole number from 1 to 65535.\n`)
}

/** Reads the settings again; gives `undefined` where nothing has changed that they are read from. */
function settingsReader(config: string | undefined): () => Settings | undefined {
  let last = settingsText(process.env, config)
  return () => {
    const now = settingsText(process.env, config)
    if (now === last) return undefined
    last = now
    return load(config).settings
  }
}

/** What the commands for setting up work with. */
async function surroundings(config: string | undefined): Promise<CommandIo> {
  const { settings, env, warnings } = load(config)
  const { agentFor } = await import('./serve/serve.ts')
  return { settings, agent: agentFor(settings).reads, env, warnings, stdout: process.stdout, stderr: process.stderr }
}

/** The options of a command, or the exit status when they are wrong or ask for help. */
function read(name: CommandName, words: readonly string[]): Options | number {
  const { options }: Command = commands[name]
  try {
    const { values } = parseArgs({
      args: [...words],
      options: { ...options, help: { type: 'boolean', short: 'h' } },
      strict: true,
    })
    return values['help'] === true ? print(help(name)) : (values as Options)
  } catch (error) {
    const fault = optionFault(name, words, error as NodeJS.ErrnoException)
    return 'json' in options && asksForJson(words)
      ? printJson({ ok: false, error: fault })
      : complain(`${fault}\n\n${help(name)}`)
  }
}

/** What is wrong with the options of a command. */
function optionFault(name: CommandName, words: readonly string[], { code, message }: NodeJS.ErrnoException): string {
  if (code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE') {
    const [option = ''] = /--\w+/.exec(message) ?? []
    return `${option} is not followed by what it needs, or by more than it takes.`
  }
  const [, wrong = ''] = /'(?:-+)?([^'\s]+)/.exec(message) ?? []
  const near = nearest(wrong, Object.keys(commands[name].options))
  return (
    `${name} does not take ${words.find((word) => word.includes(wrong)) ?? words.join(' ')}.` +
    (near === undefined ? '' : ` Did you mean --${near}?`)
  )
}

/** Whether `--json` stands among options, right or wrong. */
function asksForJson(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  return words.slice(0, end === -1 ? words.length : end).some((word) => /^--json(=|$)/.test(word))
}

function unknown(word: string): number {
  const near = nearest(word, Object.keys(commands))
  return complain(
    `There is no command ${word}.${near === undefined ? ' See dynamics-gateway --help.' : ` Did you mean ${near}?`}\n`,
  )
}

function isCommand(word: string): word is CommandName {
  return Object.hasOwn(commands, word)
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

/** What is wrong, for scripts. */
function printJson(wrong: object): number {
  print(`${JSON.stringify(wrong, null, 2)}\n`)
  return 1
}

function complain(text: string): number {
  process.stderr.write(text)
  return 1
}
