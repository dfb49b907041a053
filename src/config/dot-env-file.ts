import { join } from 'node:path'

import { readDotEnv } from './dot-env.ts'
import type { DotEnv } from './dot-env.ts'
import { comesTooLate, isForeign } from './foreign-variables.ts'
import { meantVariable } from './meant.ts'
import { nearest } from './nearest.ts'
import { readText, textFileFault } from './text-file.ts'

/** The `.env` file of a folder. */
export interface DotEnvFile extends DotEnv {
  readonly path: string
  readonly exists: boolean
}

/** Reads the `.env` file of `folder`; one that cannot be read is a fault, one that is not there is empty. */
export function dotEnvFile(folder: string): DotEnvFile {
  const path = join(folder, '.env')
  try {
    const { faults, ...read } = readDotEnv(readText(path))
    return { path, exists: true, ...read, faults: faults.map((fault) => `${path}: ${fault}`) }
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code !== 'ENOENT'
    const faults = exists ? [`${path} ${textFileFault(error)}`] : []
    return { path, exists, variables: {}, lines: new Map(), cut: new Set(), faults }
  }
}

/**
 * Names in a `.env` file that mean nothing to the gateway, which reads this file for itself alone.
 *
 * @param known variables that are settings, or that a settings file takes secrets from
 * @param env the process' own variables
 */
export function unknownNames(
  { path, lines }: DotEnvFile,
  known: ReadonlySet<string>,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  return [...lines].flatMap(([name, line]) => {
    if (known.has(name) || isForeign(name)) return []
    if (comesTooLate(name)) return env[name] === undefined ? [`${path}: line ${line}: ${name} ${TOO_LATE}`] : []
    const near = meantVariable(name) ?? nearest(name, [...known])
    const todo =
      near === undefined ? 'Remove it, or start the gateway in a folder of its own.' : `Did you mean ${near}?`
    return [`${path}: line ${line}: ${name} is not a setting. ${todo}`]
  })
}

const TOO_LATE = 'has no effect here, because Node reads it before this file: set it for the process.'

/**
 * Variables whose value a `#` may have cut short, by their name, each as a sentence: in the file, where ` #` begins a
 * comment, or by another program that read the same file and takes every `#` for one.
 */
export function cutShort(
  { path, lines, cut, variables }: DotEnvFile,
  env: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, string> {
  const doubts = new Map<string, string>()
  for (const [name, line] of lines) {
    const [own, written] = [env[name]?.trim(), variables[name]!]
    const rest = own === undefined || own === '' || !written.startsWith(own) ? '' : written.slice(own.length)
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
