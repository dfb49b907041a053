import { createHash, randomUUID } from 'node:crypto'

/** The text of a GUID without braces, in either case. */
export const guidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether `text` is a GUID without braces. */
export function isGuid(text: string): boolean {
  return guidPattern.test(text)
}

/** A GUID derived from a name, so that sample rows have the same ids in every run. */
export function guidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** A new random GUID. */
export function newGuid(): string {
  return randomUUID()
}
