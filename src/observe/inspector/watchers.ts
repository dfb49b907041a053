import type { ServerResponse } from 'node:http'

/** The connected browsers, each with a stream of server-sent events. */
export interface Watchers {
  /** Adds a response whose head is sent. Disconnects the oldest watcher if there are too many. */
  readonly add: (response: ServerResponse) => void
  readonly count: () => number
  /** Announces news, which is fetched when a browser can receive it. */
  readonly notify: () => void
  readonly close: () => void
}

/** The news of a watcher: events as text, and its next position. */
export type News = (seen: number) => { readonly text: string; readonly seen: number }

interface Watcher {
  readonly response: ServerResponse
  seen: number
}

const MAX_WATCHERS = 4

/** Buffered bytes of a browser. Beyond it, the browser gets no new events. */
const MAX_WAITING_BYTES = 64 * 1024

/** Requests that finish within this time are one event. */
const BATCH_MS = 150

/** Interval of keep-alive comments. */
const PING_MS = 15_000

/**
 * Creates an empty set. Without a watcher, no timer runs and `notify` does nothing.
 *
 * @param left is called when the last watcher has left
 */
export function createWatchers(news: News, left: () => void, pingInterval = PING_MS): Watchers {
  const watchers = new Set<Watcher>()
  let due: NodeJS.Timeout | undefined
  let ping: NodeJS.Timeout | undefined

  function tell(watcher: Watcher): void {
    const { response } = watcher
    // A slow or stopped browser only costs its buffer, and catches up from the ring.
    if (response.writableLength > MAX_WAITING_BYTES) return
    const { text, seen } = news(watcher.seen)
    watcher.seen = seen
    if (text !== '') response.write(text)
  }

  function remove(watcher: Watcher): void {
    if (!watchers.delete(watcher) || watchers.size > 0) return
    clearTimeout(due)
    clearInterval(ping)
    due = undefined
    left()
  }

  return {
    add(response) {
      if (watchers.size === MAX_WATCHERS) {
        const [oldest] = watchers
        remove(oldest!)
        oldest!.response.end()
      }
      const watcher = { response, seen: 0 }
      if (watchers.size === 0) {
        ping = setInterval(() => {
          for (const { response } of watchers) if (response.writableLength === 0) response.write(':\n\n')
        }, pingInterval).unref()
      }
      watchers.add(watcher)
      response.on('close', () => remove(watcher))
      response.on('drain', () => tell(watcher))
      tell(watcher)
    },
    count: () => watchers.size,
    notify() {
      if (watchers.size === 0 || due !== undefined) return
      due = setTimeout(() => {
        due = undefined
        for (const watcher of watchers) tell(watcher)
      }, BATCH_MS).unref()
    },
    close() {
      for (const watcher of watchers) {
        // A response can be open for longer: the browser reads slowly, or earlier responses come first.
        remove(watcher)
        watcher.response.end()
      }
    },
  }
}
