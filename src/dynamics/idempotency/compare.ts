import { isGuid } from '../../odata/guid.ts'
import type { Members } from './create-body.ts'

/** A column to read, and the value that a create with the same body sets. */
export interface Expected {
  readonly column: string
  readonly value: unknown
}

/**
 * The expected columns of a row that was created with `members`. Omits what cannot be compared: annotations, and
 * rows that are bound by an alternate key.
 *
 * @param lookups lookup columns by navigation property; `undefined` where the body binds none
 */
export function expectedOf(members: Members, lookups: ReadonlyMap<string, string> | undefined): readonly Expected[] {
  return Object.entries(members).flatMap(([name, value]) => {
    const [column = '', annotation] = name.split('@', 2)
    if (annotation === undefined) return /^\w+$/.test(column) ? [{ column, value }] : []
    if (annotation !== 'odata.bind') return []
    const lookup = lookups?.get(column)
    const bound = typeof value === 'string' ? /\(([^()]+)\)\/?$/.exec(value)?.[1] : value
    const isComparable = bound === null || (typeof bound === 'string' && isGuid(bound))
    return lookup !== undefined && isComparable ? [{ column: `_${lookup}_value`, value: bound }] : []
  })
}

/** Whether a body binds rows, so that their lookup columns must be known. */
export function bindsRows(members: Members): boolean {
  return Object.keys(members).some((name) => name.endsWith('@odata.bind'))
}

/** Whether `row` has the expected values. Columns that it does not contain are ignored. */
export function matches(row: Members, expected: readonly Expected[]): boolean {
  return expected.every(({ column, value }) => !(column in row) || isSame(value, row[column]))
}

/**
 * Whether a column that holds `stored` may have been set to `sent`: Dynamics rounds numbers to the column's precision,
 * formats dates in its own way, trims texts and stores an empty text as null.
 */
export function isSame(sent: unknown, stored: unknown): boolean {
  if (sent === stored || (isEmpty(sent) && isEmpty(stored))) return true
  if (isEmpty(sent) || isEmpty(stored)) return false
  if (typeof sent === 'number' || typeof stored === 'number') return isRounded(Number(sent), Number(stored))
  if (typeof sent !== 'string' || typeof stored !== 'string') return false
  const [text, other] = [sent.trim(), stored.trim()]
  return (
    text === other ||
    (isGuid(text) && text.toLowerCase() === other.toLowerCase()) ||
    isSameMoment(text, other) ||
    (CHOICES.test(text) && CHOICES.test(other) && sorted(text) === sorted(other))
  )
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || value === ''
}

/** Money has at least two decimals by default. */
const MIN_DECIMALS = 2

function isRounded(sent: number, stored: number): boolean {
  if (sent === stored) return true
  const decimals = Math.max(MIN_DECIMALS, decimalsOf(stored))
  return decimalsOf(sent) > decimalsOf(stored) && Math.abs(sent - stored) <= 0.5 * 10 ** -decimals + Number.EPSILON
}

function decimalsOf(value: number): number {
  return /\.(\d+)$/.exec(String(value))?.[1]?.length ?? 0
}

const MOMENT = /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?$/
const DATE_CHARACTERS = 10

function isSameMoment(sent: string, stored: string): boolean {
  if (!MOMENT.test(sent) || !MOMENT.test(stored)) return false
  if (stored.length === DATE_CHARACTERS) return sent.startsWith(stored)
  // Dynamics stores times in seconds.
  return Math.floor(Date.parse(sent) / 1000) === Math.floor(Date.parse(stored) / 1000)
}

/** Several choices of a column: `3,1,2`. */
const CHOICES = /^-?\d+(?:,-?\d+)+$/

function sorted(choices: string): string {
  return choices.split(',').sort().join(',')
}
