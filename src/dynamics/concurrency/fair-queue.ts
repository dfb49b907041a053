/** A queue in which keys take turns: a busy key does not starve the others. */
export interface FairQueue<T> {
  readonly size: () => number
  readonly push: (key: string, entry: T) => void
  /**
   * Removes and returns the next entry: the oldest of the key whose turn it is. Keys that have their full share let the
   * others go first.
   */
  readonly shift: (hasItsShare: (key: string) => boolean) => T | undefined
  readonly remove: (key: string, entry: T) => void
  /**
   * The newest entry of the key with the most entries, which an entry of `newcomer` displaces; `undefined` if that key
   * has at most one entry more than `newcomer`, because displacing it would not be fairer.
   */
  readonly displacedBy: (newcomer: string) => T | undefined
  /** The newest entry of the key with the most entries. */
  readonly newestOfLongest: () => T | undefined
}

export function createFairQueue<T>(): FairQueue<T> {
  /** In the order in which the keys take turns. */
  const queues = new Map<string, T[]>()
  let size = 0

  function nextKey(hasItsShare: (key: string) => boolean): string | undefined {
    // Few keys have their full share: at most the number of slots divided by the share.
    for (const key of queues.keys()) if (!hasItsShare(key)) return key
    return queues.keys().next().value
  }

  function longestQueue(): readonly T[] {
    let longest: readonly T[] = []
    for (const queue of queues.values()) if (queue.length > longest.length) longest = queue
    return longest
  }

  return {
    size: () => size,
    push(key, entry) {
      const queue = queues.get(key)
      if (queue === undefined) queues.set(key, [entry])
      else queue.push(entry)
      size++
    },
    shift(hasItsShare) {
      const key = nextKey(hasItsShare)
      const queue = key === undefined ? undefined : queues.get(key)
      if (key === undefined || queue === undefined) return undefined
      const entry = queue.shift()
      queues.delete(key)
      if (queue.length > 0) queues.set(key, queue)
      size--
      return entry
    },
    remove(key, entry) {
      const queue = queues.get(key)
      const index = queue?.indexOf(entry) ?? -1
      if (queue === undefined || index === -1) return
      queue.splice(index, 1)
      if (queue.length === 0) queues.delete(key)
      size--
    },
    displacedBy(newcomer) {
      const longest = longestQueue()
      return longest.length > (queues.get(newcomer)?.length ?? 0) + 1 ? longest.at(-1) : undefined
    },
    newestOfLongest: () => longestQueue().at(-1),
  }
}
