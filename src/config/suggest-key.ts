import { ALL_SETTINGS } from './all-settings.ts'
import { closestWord } from './closest-word.ts'
import { normalized } from './normalized-name.ts'
import { orList } from './word-list.ts'

/**
 * The setting or group that an unknown key of a settings file most likely means; `undefined`: none is similar. In this
 * order: a similar name of the same group; the same name elsewhere, or that of a variable; a name of the group that the
 * key is a part of; a similar name elsewhere.
 *
 * @param group the path of the key's group: `targets[0].impersonation`, or an empty string
 * @param members the names that the group may hold
 */
export function suggestKey(key: string, group: string, members: readonly string[]): string | undefined {
  const place = group.replace(/\[\d+\]/g, '[]')
  const letters = normalized(key)
  return (
    (key.includes('.') ? sameKey(key, place) : undefined) ??
    closestWord(letters, members.map(normalized), undefined, members) ??
    sameKey(key, place) ??
    partOf(letters, members) ??
    shown(closestWord(letters, NAMES.map(normalized), MAX_TYPOS_ELSEWHERE, PATHS) ?? beginningWith(letters), place)
  )
}

/** Shorter beginnings fit many names. */
const MIN_BEGINNING_LENGTH = 8

/** A setting in any group that begins with these letters. */
function beginningWith(letters: string): string | undefined {
  return letters.length < MIN_BEGINNING_LENGTH
    ? undefined
    : PATHS.find((path) => normalized(lastOf(path)).startsWith(letters))
}

/** Letters that may differ from a name in another group. */
const MAX_TYPOS_ELSEWHERE = 1

/** The path of every setting and group, and its last name. */
const PATHS: readonly string[] = [...new Set(ALL_SETTINGS.flatMap(({ path }) => [path, ...groupsOf(path)]))]
const NAMES: readonly string[] = PATHS.map(lastOf)

/** The groups that a path leads through: `targets[]`, `targets[].impersonation`. */
function groupsOf(path: string): string[] {
  const names = path.split('.')
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join('.'))
}

/** A setting of that name in another spelling or place, or whose variable has that name. */
function sameKey(key: string, place: string): string | undefined {
  const letters = normalized(key)
  const found = [
    ...ALL_SETTINGS.flatMap(({ path, setting }) => (setting.env === key ? [path] : [])),
    ...PATHS.filter((path) => normalized(lastOf(path)) === letters || normalized(relative(path, place)) === letters),
  ]
  return shown(found.find((path) => isWithin(path, place)) ?? found[0], place)
}

function isWithin(path: string, place: string): boolean {
  return path.startsWith(place === '' ? '' : `${place}.`)
}

function relative(path: string, place: string): string {
  return place !== '' && isWithin(path, place) ? path.slice(place.length + 1) : path
}

/** A path as a message shows it, for a key in `place`. */
function shown(path: string | undefined, place: string): string | undefined {
  if (path === undefined) return undefined
  const written = relative(path, place).replace(/\[\]$/, '')
  return place !== '' && !isWithin(path, place) && !written.includes('.')
    ? `${written} at the top of the file`
    : written
}

/** Fewer letters occur in many names. */
const MIN_PART_LENGTH = 4

/** The names that hold the key's letters, or whose letters the key holds, such as `authorityHost` for `authority`. */
function partOf(letters: string, members: readonly string[]): string | undefined {
  const alike = members.filter((member) => {
    const name = normalized(member)
    const [shorter, longer] = name.length < letters.length ? [name, letters] : [letters, name]
    return shorter.length >= MIN_PART_LENGTH && longer.includes(shorter)
  })
  return alike.length === 0 ? undefined : orList(alike)
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1).replace('[]', '')
}
