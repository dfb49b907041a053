import { createHash } from 'node:crypto'
import { readFileSync, watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { dirname } from 'node:path'

/** A change comes in several events (write, rename, link). Files are compared this long after the last one. */
const SETTLE_MS = 100

/** How often files are compared where the system sends no events (network drives, links to other folders). */
const POLL_MS = 10_000

/**
 * Calls `changed` when the content of one of `files` changes. Watches their folders, because files are replaced rather
 * than written, and Kubernetes swaps a link next to them.
 *
 * @returns ends the watch
 */
export function watchFiles(files: readonly string[], changed: () => void): () => void {
  if (files.length === 0) return () => {}
  let known = fingerprint()
  let settling: NodeJS.Timeout | undefined
  const watchers = [...new Set(files.map((file) => dirname(file)))].map(watchFolder)
  const polling = setInterval(compare, POLL_MS).unref()
  return () => {
    clearInterval(polling)
    clearTimeout(settling)
    for (const watcher of watchers) watcher?.close()
  }

  function watchFolder(folder: string): FSWatcher | undefined {
    try {
      // When a watch fails, polling continues.
      return watch(folder, { persistent: false }, settle).on('error', () => {})
    } catch {
      return undefined
    }
  }

  function settle(): void {
    clearTimeout(settling)
    settling = setTimeout(compare, SETTLE_MS).unref()
  }

  function compare(): void {
    const now = fingerprint()
    if (now === undefined || now === known) return
    known = now
    changed()
  }

  /** `undefined` while a file is missing: it is being replaced. */
  function fingerprint(): string | undefined {
    try {
      const hash = createHash('sha256')
      for (const file of files) hash.update(readFileSync(file)).update('\0')
      return hash.digest('base64')
    } catch {
      return undefined
    }
  }
}
