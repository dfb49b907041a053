import type { OnUnreadable } from '../../server/unreadable-request.ts'
import { capture } from './capture.ts'
import type { Captured, Watched } from './capture.ts'
import { bytesOfFinished } from './finished-request.ts'
import type { FinishedRequest } from './finished-request.ts'
import { createKeys } from './keys.ts'
import type { Keys } from './keys.ts'
import { recordOf } from './record-request.ts'
import { bytesOf, summaryOf } from './record.ts'
import type { InspectorRecord } from './record.ts'
import { createRing } from './ring.ts'
import type { Ring } from './ring.ts'
import { unreadableRecord } from './unreadable-record.ts'
import { createWatchers } from './watchers.ts'
import type { Watchers } from './watchers.ts'

/** The last requests, for the holder of the token printed at start. Survives a reload of the settings. */
export interface Inspector {
  readonly keys: Keys
  readonly records: Pick<Ring<InspectorRecord>, 'get' | 'after' | 'bytes'>
  /** Adds a request that is over. It is made a record when somebody looks. */
  readonly add: (finished: FinishedRequest) => void
  /** Adds a request that could not be read. */
  readonly addUnreadable: OnUnreadable
  readonly clear: () => void
  /** Captures a new request while capturing is on. */
  readonly capture: (watched: Watched) => (() => Captured) | undefined
  /** End of capturing in milliseconds since 1970; 0: off. */
  readonly capturesUntil: () => number
  /** @returns whether it was changed: nothing is captured without a watcher */
  readonly setCapture: (on: 'on' | 'off') => boolean
  readonly watch: Watchers['add']
  /** Ends all streams, so that the gateway can stop. */
  readonly close: () => void
}

const MAX_RECORDS = 200

/** Together with the streams of four browsers and one list in progress, below 16 MiB. */
const MAX_BYTES = 14 * 1024 * 1024

/** How long capturing stays on, in milliseconds. */
const CAPTURE_MS = 15 * 60_000

/** Creates an inspector with new keys. */
export function createInspector(): Inspector {
  const ring = createRing<Entry>(MAX_RECORDS, MAX_BYTES)
  const records = shownRecords(ring)
  const memory = { reserve: ring.reserve, release: ring.release }
  let until = 0
  let cleared = 0
  const capturesUntil = (): number => (until > Date.now() ? until : 0)
  const watchers = createWatchers(news, () => {
    until = 0
  })

  /** The updates for a browser: rows, and the state of the switch with each. */
  function news(seen: number): { readonly text: string; readonly seen: number } {
    const rows = records.after(seen).map(({ number, entry }) => summaryOf(number, entry))
    const state = { rows, cleared, capturesUntil: capturesUntil(), bytes: ring.bytes(), limit: MAX_BYTES }
    return { text: `data: ${JSON.stringify(state)}\n\n`, seen: rows.at(-1)?.number ?? seen }
  }

  return {
    keys: createKeys(),
    records,
    add(finished) {
      ring.push({ finished }, bytesOfFinished(finished))
      watchers.notify()
    },
    addUnreadable(request) {
      const record = unreadableRecord(request)
      ring.push({ record }, bytesOf(record))
      watchers.notify()
    },
    clear() {
      cleared = ring.after(0).at(-1)?.number ?? cleared
      ring.clear()
      watchers.notify()
    },
    capture: (watched) => (until > Date.now() ? capture(watched, memory) : undefined),
    capturesUntil,
    setCapture(on) {
      until = on === 'on' && watchers.count() > 0 ? Date.now() + CAPTURE_MS : 0
      watchers.notify()
      return (on === 'on') === until > 0
    },
    watch: watchers.add,
    close: watchers.close,
  }
}

/** A request that is over, and its record once somebody has looked. */
type Entry = { readonly finished: FinishedRequest } | { readonly record: InspectorRecord }

/** The records of a ring, each made when it is first read. */
function shownRecords(ring: Ring<Entry>): Inspector['records'] {
  const made = (): void =>
    ring.replace((entry) => {
      if ('record' in entry) return undefined
      const record = recordOf(entry.finished)
      return { entry: { record }, bytes: bytesOf(record) }
    })
  return {
    get(number) {
      made()
      return recordIn(ring.get(number))
    },
    after(number) {
      made()
      return ring.after(number).map(({ number, entry }) => ({ number, entry: recordIn(entry)! }))
    },
    bytes: ring.bytes,
  }
}

function recordIn(entry: Entry | undefined): InspectorRecord | undefined {
  return (entry as { readonly record?: InspectorRecord } | undefined)?.record
}
