import { dotEnvFile } from './dot-env-file.ts'
import type { DotEnvFile } from './dot-env-file.ts'

/** The variables that this process reads its settings from. */
export interface ProcessVariables {
  /** All of them; those of the process take precedence over those of `.env`. */
  readonly env: NodeJS.Dict<string>
  readonly dotEnv: DotEnvFile
  /** Those of the process itself. */
  readonly own: NodeJS.Dict<string>
}

/** The variables of the process; a `.env` file in the working folder fills in what is not set. */
export function environment(): NodeJS.Dict<string> {
  return processVariables().env
}

/** The same, with what they come from. */
export function processVariables(): ProcessVariables {
  const dotEnv = dotEnvFile(process.cwd())
  const own = nonEmpty(process.env)
  return { env: { ...nonEmpty(dotEnv.variables), ...own }, dotEnv, own }
}

/** The variables that are not empty. An empty one counts as unset, because `${NAME:-}` in a compose file sets it so. */
export function nonEmpty(env: NodeJS.Dict<string>): NodeJS.Dict<string> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''))
}
