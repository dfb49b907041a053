import type { Value } from './rows.ts'

/** Whether the database considers two values equal. With `wildcards`, `% _ [ ]` match as in LIKE. */
export function equal(left: Value, right: Value, wildcards: boolean): boolean {
  if (left === null || right === null) return left === right
  if (typeof left === 'string' && typeof right === 'string') {
    if (wildcards) return like(left, right)
    return compare(left, right) === 0
  }
  return compare(left, right) === 0
}

/** Whether `holds` accepts the order of two values. Never true when one of them is null. */
export function order(left: Value, right: Value, holds: (sign: number) => boolean): boolean {
  return left !== null && right !== null && holds(compare(left, right))
}

/** Orders two values as the database does: text case-insensitively, dates as points in time. */
export function compare(left: Value, right: Value): number {
  if (left === null || right === null) return left === right ? 0 : left === null ? -1 : 1
  if (typeof left === 'string' && typeof right === 'string') {
    const [first, second] = [timeOf(left), timeOf(right)]
    if (first !== undefined && second !== undefined) return first - second
    const [a, b] = [left.toLowerCase(), right.toLowerCase()]
    return a < b ? -1 : a > b ? 1 : 0
  }
  // Numeric types are mixed, because a big integer column is compared with plain numbers.
  const [a, b] = [typeof left === 'string' ? Number(left) : left, typeof right === 'string' ? Number(right) : right]
  return a < b ? -1 : a > b ? 1 : 0
}

function timeOf(text: string): number | undefined {
  return /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d)?)?$/.test(text) ? Date.parse(text) : undefined
}

/** Whether a value matches a LIKE pattern of SQL. */
export function like(value: Value, pattern: string): boolean {
  if (value === null) return false
  const source = pattern.replace(/\[[^\]]+\]|[%_]|[.*+?^${}()|[\]\\]/g, (found) => {
    if (found === '%') return '.*'
    if (found === '_') return '.'
    return found.length > 1 ? found.replaceAll('\\', '\\\\') : `\\${found}`
  })
  return new RegExp(`^${source}$`, 'isu').test(String(value))
}
