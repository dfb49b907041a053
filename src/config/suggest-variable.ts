import { ALL_SETTINGS, SETTING_VARIABLES } from './all-settings.ts'
import type { SettingEntry } from './all-settings.ts'
import { misspeltVariable } from './misspelt-variable.ts'
import { normalized } from './normalized-name.ts'

/**
 * What an unknown variable most likely means: one that it misspells or begins with, or a setting that only a file has.
 * `undefined` where none is similar, where the name is short enough to be another program's, or where Kubernetes sets it
 * for a service.
 */
export function suggestVariable(name: string): string | undefined {
  if (/_SERVICE_(?:HOST|PORT)|_PORT(?:_\d+_(?:TCP|UDP))?(?:_|$)/.test(name)) return undefined
  const ours = name.replace(/^(?:DYNAMICS_)?GATEWAY_(?!CONFIG)/i, '')
  const letters = normalized(ours)
  const known = VARIABLES_BY_NAME.get(letters) ?? PATHS_BY_NAME.get(letters)
  if (known !== undefined) return known
  const upper = name.toUpperCase()
  return (
    [...DISTINCT_VARIABLES].find((variable) => upper.startsWith(`${variable}_`)) ??
    misspeltVariable(ours, DISTINCT_VARIABLES)
  )
}

/** Suggestions by normalized name: our variables, and settings that only a file has. */
const VARIABLES_BY_NAME = new Map([...SETTING_VARIABLES].map((variable) => [normalized(variable), variable]))
const PATHS_BY_NAME = new Map(
  ALL_SETTINGS.filter(hasWords).map(({ path, setting }) => [
    normalized(withoutTarget(path)),
    setting.env ?? `${path} in a settings file`,
  ]),
)

/** Names of this length do not belong to other programs by chance. */
const MIN_DISTINCT_LENGTH = 8
const DISTINCT_VARIABLES: ReadonlySet<string> = new Set(
  [...SETTING_VARIABLES].filter((variable) => variable.length >= MIN_DISTINCT_LENGTH),
)

/** Whether a setting's path has several words: `queue` or `name` may be any program's variable. */
function hasWords({ path }: SettingEntry): boolean {
  return /[A-Z.]/.test(withoutTarget(path))
}

function withoutTarget(path: string): string {
  return path.replace(/^targets\[\]\./, '')
}
