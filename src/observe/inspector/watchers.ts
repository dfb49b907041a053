import type { ServerResponse } from 'node:http'

/** The browsers that look on, each at the end of a stream of server-sent events. */
export interface Watchers {
  /** Takes a response whose head is out. The oldest watcher leaves where there are too many. */
  readonly add: (response: ServerResponse) => void
  readonly count: () => number
  /** Something new is there; what, is asked for when a browser can take it. */
  readonly notify: () => void
  readonly close: () => void
}

/** What a watcher has not seen yet: events as text, and where it is up to then. */
export type News = (seen: number) => { readonly text: string; readonly seen: number }

interface Watcher {
  readonly response: ServerResponse
  seen: number
}

const MAX_WATCHERS = 4

/** Bytes that may wait for a browser. While they do it gets nothing new. */
const MAX_WAITING_BYTES = 64 * 1024

/** Requests that end together are one event. */
const GATHER_MS = 150

/** How often a stream shows that it is there. */
const PING_MS = 15_000

/** Nobody looks on yet. Without a watcher, no timer runs and `notify` does nothing. */
export function createWatchers(news: News, left: () => void): Watchers {
  const watchers = new Set<Watcher>()
  let due: NodeJS.Timeout | undefined
  let ping: NodeJS.Timeout | undefined

  function tell(watcher: Watcher): void {
    const { response } = watcher
    // A browser that is slow or stopped costs no more than what waits for it: it catches up from the ring.
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
        }, PING_MS).unref()
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
      }, GATHER_MS).unref()
    },
    close() {
      for (const { response } of watchers) response.end()
    },
  }
}
