/** Numbered entries, the oldest first, with limits of count and memory. */
export interface Ring<T> {
  /** Adds an entry of `bytes` and returns its number. Evicts the oldest ones; a too large entry is not stored. */
  readonly push: (entry: T, bytes: number) => number
  /** The entry with this number, if it is still stored. */
  readonly get: (number: number) => T | undefined
  /** The entries after this number, the oldest first. */
  readonly after: (number: number) => readonly Numbered<T>[]
  /** Reserves memory for a future entry, and evicts entries for it. `false`: not enough memory. */
  readonly reserve: (bytes: number) => boolean
  readonly release: (bytes: number) => void
  /** Puts others in place of entries; `undefined`: this one stays. */
  readonly replace: (change: (entry: T) => Sized<T> | undefined) => void
  readonly clear: () => void
  /** Bytes in use, including reserved ones. */
  readonly bytes: () => number
}

export interface Numbered<T> {
  readonly number: number
  readonly entry: T
}

/** An entry, and the bytes that it takes. */
export interface Sized<T> {
  readonly entry: T
  readonly bytes: number
}

type Slot<T> = Numbered<T> & Sized<T>

/**
 * Creates an empty ring.
 *
 * @param count limit of entries
 * @param limit limit of bytes
 */
export function createRing<T>(count: number, limit: number): Ring<T> {
  let slots: Slot<T>[] = []
  let used = 0
  let reserved = 0
  let last = 0

  /** Evicts the oldest entries until there is enough memory. */
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
      reserved += bytes
      return true
    },
    release(bytes) {
      used -= bytes
      reserved -= bytes
    },
    replace(change) {
      slots = slots.map((slot) => ({ ...slot, ...change(slot.entry) }))
      used = slots.reduce((sum, { bytes }) => sum + bytes, reserved)
      makeRoom(0)
    },
    clear() {
      for (const { bytes } of slots) used -= bytes
      slots = []
    },
    bytes: () => used,
  }
}
