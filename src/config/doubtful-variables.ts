import { SETTING_VARIABLES } from './all-settings.ts'
import { cutShort } from './dot-env-file.ts'
import type { DotEnvFile } from './dot-env-file.ts'
import { suggestVariable } from './suggest-variable.ts'

/** Warnings that a secret, or a variable that a settings file names, may have been cut short at a `#`, by its name. */
export function doubtsOf(dotEnv: DotEnvFile, own: NodeJS.Dict<string>): ReadonlyMap<string, string> {
  const secrets = new Set([...SETTING_VARIABLES].filter((name) => SETTING_VARIABLES.has(`${name}_FILE`)))
  return new Map([...cutShort(dotEnv, own)].filter(([name]) => secrets.has(name) || !SETTING_VARIABLES.has(name)))
}

/**
 * Warnings about variables of the process that are not settings but look like one.
 *
 * @param secretVariables the variables that the settings file takes secrets from
 */
export function nearMisses(env: NodeJS.Dict<string>, secretVariables: ReadonlySet<string>): string[] {
  return Object.keys(env).flatMap((name) => {
    const near = SETTING_VARIABLES.has(name) || secretVariables.has(name) ? undefined : suggestVariable(name)
    return near === undefined || env[near] !== undefined ? [] : [`${name} is not a setting. Did you mean ${near}?`]
  })
}
