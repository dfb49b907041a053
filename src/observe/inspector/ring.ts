/** Entries by number, the oldest first, within a number and a bound on memory. */
export interface Ring<T> {
  /** Adds an entry that takes `bytes`, and returns its number. The oldest make room; one that is too large is not kept. */
  readonly push: (entry: T, bytes: number) => number
  /** The entry of this number, if it is still there. */
  readonly get: (number: number) => T | undefined
  /** The entries after this number, the oldest first. */
  readonly after: (number: number) => readonly Numbered<T>[]
  /** Reserves memory for what is not an entry yet. `false`: there is none left, though all entries made room. */
  readonly reserve: (bytes: number) => boolean
  readonly release: (bytes: number) => void
  readonly clear: () => void
  /** Bytes in use, with what is reserved. */
  readonly bytes: () => number
}

export interface Numbered<T> {
  readonly number: number
  readonly entry: T
}

interface Slot<T> extends Numbered<T> {
  readonly bytes: number
}

/**
 * Makes an empty ring.
 *
 * @param count entries at most
 * @param limit bytes at most, whatever is pushed
 */
export function createRing<T>(count: number, limit: number): Ring<T> {
  let slots: Slot<T>[] = []
  let used = 0
  let last = 0

  /** Drops the oldest entries until there is room. */
  function makeRoom(bytes: number): boolean {
    if (bytes > limit) return false
    while (used + bytes > limit && slots.length > 0) used -= slots.shift()!.bytes
    return used + bytes <= limit
  }

  return {
    push(entry, bytes) {
      last += 1
      if (slots.length === count) used -= slots.shift()!.bytes
      if (makeRoom(bytes)) {
        slots.push({ number: last, entry, bytes })
        used += bytes
      }
      return last
    },
    get: (number) => slots.find((slot) => slot.number === number)?.entry,
    after: (number) => slots.filter((slot) => slot.number > number),
    reserve(bytes) {
      if (!makeRoom(bytes)) return false
      used += bytes
      return true
    },
    release(bytes) {
      used -= bytes
    },
    clear() {
      for (const { bytes } of slots) used -= bytes
      slots = []
    },
    bytes: () => used,
  }
}
