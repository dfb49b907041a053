import { join } from 'node:path'

import { readDotEnv } from './dot-env.ts'
import type { DotEnv } from './dot-env.ts'
import { isReadBeforeStart, isForeign } from './foreign-variables.ts'
import { misspeltVariable } from './misspelt-variable.ts'
import { suggestVariable } from './suggest-variable.ts'
import { readText, textFileError } from './text-file.ts'

/** The `.env` file of a folder. */
export interface DotEnvFile extends DotEnv {
  readonly path: string
  readonly exists: boolean
}

/** Reads the `.env` file of `folder`. An unreadable file is an error, a missing one is empty. */
export function dotEnvFile(folder: string): DotEnvFile {
  const path = join(folder, '.env')
  try {
    const { errors, ...read } = readDotEnv(readText(path))
    return { path, exists: true, ...read, errors: errors.map((fault) => `${path}: ${fault}`) }
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code !== 'ENOENT'
    const errors = exists ? [`${path} ${textFileError(error)}`] : []
    return { path, exists, variables: {}, lines: new Map(), cut: new Set(), errors }
  }
}

/**
 * Errors about names in a `.env` file that the gateway does not know. Only the gateway reads this file.
 *
 * @param known variables that are settings, or that a settings file takes secrets from; `undefined` if that file cannot
 *   be read, so that any name may be one of them
 * @param env the variables of the process
 */
export function unknownNames(
  { path, lines }: DotEnvFile,
  known: ReadonlySet<string> | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  return [...lines].flatMap(([name, line]) => {
    if (known?.has(name) === true || isForeign(name)) return []
    if (isReadBeforeStart(name))
      return env[name] === undefined ? [`${path}: line ${line}: ${name} ${READ_TOO_EARLY}`] : []
    if (known === undefined) return []
    const near = suggestVariable(name) ?? misspeltVariable(name, known)
    const todo = near === undefined ? 'Remove it, or start the gateway in a separate folder.' : `Did you mean ${near}?`
    return [`${path}: line ${line}: ${name} is not a setting. ${todo}`]
  })
}

const READ_TOO_EARLY = 'has no effect here, because Node reads it before this file: set it for the process.'

/**
 * Variables whose value a `#` may have cut short, each with a warning: in the file, where ` #` starts a
 * comment, or in the environment, because another program read the same file and treats every `#` as a comment.
 */
export function cutShort(
  { path, lines, cut, variables }: DotEnvFile,
  env: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, string> {
  const doubts = new Map<string, string>()
  for (const [name, line] of lines) {
    const [own, raw] = [env[name]?.trim(), variables[name]!]
    const rest = own === undefined || own === '' || !raw.startsWith(own) ? '' : raw.slice(own.length)
    if (/^\s*#/.test(rest)) {
      doubts.set(
        name,
        `${name} in the environment ends where line ${line} of ${path} has a #, so something else that ` +
          'read this file took the rest for a comment: put the value into quotes there.',
      )
    } else if (own === undefined && cut.has(name)) {
      doubts.set(
        name,
        `${name} ends before the # in line ${line} of ${path}, where a comment begins: ` +
          'if the rest belongs to the value, put all of it into quotes.',
      )
    }
  }
  return doubts
}
