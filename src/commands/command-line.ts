import { parseArgs } from 'node:util'

import { closestWord } from '../config/closest-word.ts'
import { SettingsError } from '../config/settings-error.ts'
import { rethrowUnless } from '../logging/rethrow-unless.ts'
import { OptionError } from './command.ts'
import type { Command, Options, Values } from './command.ts'
import { commands } from './commands.ts'
import type { CommandName } from './commands.ts'
import { help, overview } from './help.ts'
import { version } from './version.ts'

/** Runs one command, and returns the exit status. */
export async function main(words: readonly string[]): Promise<number> {
  const [first = 'serve', ...rest] = words
  if (first === '--version' || first === '-v') return print(`${version()}\n`)
  if (first === '--help' || first === '-h') return print(overview(version()))
  if (first === 'help') {
    return isCommand(rest[0] ?? '')
      ? print(help(rest[0] as CommandName))
      : rest[0] === undefined
        ? print(overview(version()))
        : unknownCommand(rest[0])
  }
  // Options without a command belong to `serve`.
  const [name, options] = first.startsWith('-') ? (['serve', words] as const) : ([first, rest] as const)
  if (!isCommand(name)) return unknownCommand(name)
  try {
    return await run(name, options)
  } catch (error) {
    rethrowUnless(error, SettingsError)
    return printError(`${error.message}\n\nEvery setting: config/README.md. Without settings: dynamics-gateway demo\n`)
  }
}

async function run(name: CommandName, words: readonly string[]): Promise<number> {
  const { stdout, stderr } = process
  const options = read(name, words)
  if (typeof options === 'number') return options
  try {
    return await commands[name].run(options, { stdout, stderr })
  } catch (error) {
    if (!(error instanceof SettingsError) || options['json'] !== true) throw error
    return printJson({ ok: false, faults: error.errors })
  }
}

/** The options of a command, or the exit status if they are wrong or include `--help`. */
function read(name: CommandName, words: readonly string[]): Values<Options> | number {
  const { options }: Command = commands[name]
  try {
    const { values } = parseArgs({
      args: [...words],
      options: { ...options, help: { type: 'boolean', short: 'h' } },
      strict: true,
    })
    return values['help'] === true ? print(help(name)) : parsed(values, options)
  } catch (error) {
    if (error instanceof OptionError) return printError(`${error.message}\n`)
    const fault = optionFault(name, words, error as NodeJS.ErrnoException)
    return 'json' in options && asksForJson(words)
      ? printJson({ ok: false, error: fault })
      : printError(`${fault}\n\n${help(name)}`)
  }
}

/** `values`, each parsed by its option. Throws one {@link OptionError} with all faults. */
function parsed(values: Readonly<Record<string, unknown>>, options: Options): Values<Options> {
  const faults: string[] = []
  const read = Object.entries(values).map(([name, value]) => {
    const { parse } = options[name]!
    if (typeof value !== 'string' || parse === undefined) return [name, value]
    try {
      return [name, parse(value, name)]
    } catch (error) {
      rethrowUnless(error, OptionError)
      faults.push(error.message)
      return []
    }
  })
  if (faults.length > 0) throw new OptionError(faults.join('\n'))
  return Object.fromEntries(read) as Values<Options>
}

/** The message about wrong options of a command. */
function optionFault(name: CommandName, words: readonly string[], { code, message }: NodeJS.ErrnoException): string {
  if (code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE') {
    const [option] = /--[\w-]+/.exec(message)!
    return `${option} has a missing or an unexpected value.`
  }
  const wrong = /'(?:-+)?([^'\s]+)/.exec(message)![1]!
  const near = closestWord(wrong, Object.keys(commands[name].options))
  return (
    `${name} does not accept ${words.find((word) => word.includes(wrong))}.` +
    (near === undefined ? '' : ` Did you mean --${near}?`)
  )
}

/** Whether `--json` is among the options, valid or not. */
function asksForJson(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  return words.slice(0, end === -1 ? words.length : end).some((word) => /^--json(=|$)/.test(word))
}

function unknownCommand(word: string): number {
  const near = closestWord(word, Object.keys(commands))
  return printError(
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

/** Prints an error as JSON, for scripts. */
function printJson(wrong: object): number {
  print(`${JSON.stringify(wrong, null, 2)}\n`)
  return 1
}

function printError(text: string): number {
  process.stderr.write(text)
  return 1
}
