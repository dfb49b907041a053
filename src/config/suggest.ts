import { normalized, ALL_SETTINGS, SETTING_VARIABLES } from './all-settings.ts'
import type { SettingEntry } from './all-settings.ts'
import { closestWord } from './closest-word.ts'

/**
 * The setting that a key of a settings file most likely means: by the name of its variable, in another spelling, or
 * from another group; `undefined`: none of these.
 *
 * @param group the path of the key's group: `targets[0].impersonation`, or an empty string
 */
export function suggestKey(key: string, group: string): string | undefined {
  const place = group.replace(/\[\d+\]/g, '[]')
  const own = (path: string): boolean => path.startsWith(place === '' ? '' : `${place}.`)
  const found = ALL_SETTINGS.filter(
    ({ path, setting }) => setting.env === key || normalized(lastOf(path)) === normalized(key),
  )
  const path = (found.find(({ path }) => own(path)) ?? found[0])?.path
  if (path === undefined) return undefined
  return place !== '' && own(path) ? path.slice(place.length + 1) : path
}

/**
 * What an unknown variable most likely means: another variable, or a setting that only a file has. `undefined`
 * where none is similar, or where Kubernetes sets it for a service.
 */
export function suggestVariable(name: string): string | undefined {
  if (/_SERVICE_(?:HOST|PORT)|_PORT(?:_\d+_(?:TCP|UDP))?(?:_|$)/.test(name)) return undefined
  const letters = normalized(name.replace(/^(?:DYNAMICS_)?GATEWAY_(?!CONFIG)/i, ''))
  const known = VARIABLES_BY_NAME.get(letters) ?? PATHS_BY_NAME.get(letters)
  if (known !== undefined) return known
  const upper = name.toUpperCase()
  return (
    [...SETTING_VARIABLES].find(
      (variable) => variable.length >= MIN_DISTINCT_LENGTH && upper.startsWith(`${variable}_`),
    ) ?? nearMiss(letters)
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

/** The known name that differs by one letter, or by two in a long name. */
function nearMiss(letters: string): string | undefined {
  if (letters.length < MIN_DISTINCT_LENGTH - 1) return undefined
  const most = letters.length > MIN_DISTINCT_LENGTH ? 2 : 1
  const candidates = [...VARIABLES_BY_NAME.keys()].filter((known) => Math.abs(known.length - letters.length) <= most)
  return VARIABLES_BY_NAME.get(closestWord(letters, candidates, most) ?? '')
}

/** Whether a setting's path has several words: `queue` or `name` may be any program's variable. */
function hasWords({ path }: SettingEntry): boolean {
  return /[A-Z.]/.test(withoutTarget(path))
}

function withoutTarget(path: string): string {
  return path.replace(/^targets\[\]\./, '')
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1)
}
