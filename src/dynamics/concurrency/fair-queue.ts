/** A queue in which keys take turns: a busy key does not starve the others. */
export interface FairQueue<T> {
  readonly size: () => number
  readonly push: (key: string, entry: T) => void
  /**
   * Takes out the next entry: the oldest of the key whose turn it is. Keys that are served already let the others go
   * first.
   */
  readonly shift: (hasItsShare: (key: string) => boolean) => T | undefined
  readonly remove: (key: string, entry: T) => void
  /**
   * The newest entry of the key with most entries, which must give way to one of `newcomer`; `undefined` where that
   * key has at most one entry more than `newcomer`, so that giving way would be no fairer.
   */
  readonly displacedBy: (newcomer: string) => T | undefined
  /** The newest entry of the key with most entries. */
  readonly newestOfLongest: () => T | undefined
}

export function createFairQueue<T>(): FairQueue<T> {
  /** In the order in which the keys have their turns. */
  const queues = new Map<string, T[]>()
  let size = 0

  function nextKey(isServed: (key: string) => boolean): string | undefined {
    // Few keys are served already: no more than places divided by what each may have.
    for (const key of queues.keys()) if (!isServed(key)) return key
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
    shift(isServed) {
      const key = nextKey(isServed)
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
