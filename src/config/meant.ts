import { bare, catalogue, settingVariables } from './catalogue.ts'
import type { Entry } from './catalogue.ts'
import { nearest } from './nearest.ts'

/**
 * The setting that a key of a settings file was meant to be, by the name of its variable or in another spelling, or one
 * of another group; `undefined`: none of these.
 *
 * @param group where the key stands: `targets[0].impersonation`, or nothing
 */
export function meantInFile(key: string, group: string): string | undefined {
  const place = group.replace(/\[\d+\]/g, '[]')
  const own = (path: string): boolean => path.startsWith(place === '' ? '' : `${place}.`)
  const found = catalogue().filter(({ path, setting }) => setting.env === key || bare(lastOf(path)) === bare(key))
  const path = (found.find(({ path }) => own(path)) ?? found[0])?.path
  if (path === undefined) return undefined
  return place !== '' && own(path) ? path.slice(place.length + 1) : path
}

/**
 * What a variable was meant to be that is not a setting: a variable, or a setting that only a file has. `undefined`
 * where it is not close to any, or is what Kubernetes makes of a service.
 */
export function meantVariable(name: string): string | undefined {
  if (/_SERVICE_(?:HOST|PORT)|_PORT(?:_\d+_(?:TCP|UDP))?(?:_|$)/.test(name)) return undefined
  const letters = bare(name.replace(/^(?:DYNAMICS_)?GATEWAY_(?!CONFIG)/i, ''))
  const known = [...settingVariables()]
  const same = known.find((variable) => bare(variable) === letters)
  if (same !== undefined) return same
  const entry = catalogue().find((entry) => hasWords(entry) && bare(withoutTarget(entry.path)) === letters)
  if (entry !== undefined) return entry.setting.env ?? `${entry.path} in a settings file`
  return known.find((variable) => variable.length >= LONG && name.toUpperCase().startsWith(`${variable}_`))
    ?? slip(letters, known)
}

/** Names this long are no other program's by chance. */
const LONG = 8

/** One that differs by a letter, or by two where it is long. */
function slip(letters: string, known: readonly string[]): string | undefined {
  if (letters.length < LONG - 1) return undefined
  const near = nearest(letters, known.map(bare), letters.length > LONG ? 2 : 1)
  return known.find((variable) => bare(variable) === near)
}

/** Whether a setting's path is more than one word: `queue` or `name` may be any program's variable. */
function hasWords({ path }: Entry): boolean {
  return /[A-Z.]/.test(withoutTarget(path))
}

function withoutTarget(path: string): string {
  return path.replace(/^targets\[\]\./, '')
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1)
}
