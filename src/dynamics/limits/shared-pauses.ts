import { randomUUID } from 'node:crypto'

import { LRUCache } from 'lru-cache'

import type { SharedState } from '../../replicas/shared-state.ts'
import type { PauseWindow, StartedPause } from './pause.ts'

/** What replicas say of a pause: it begins, or is not so serious; `wait` milliseconds are left. */
interface PauseMessage {
  readonly id: string
  readonly wait: number
  readonly serious: boolean
}

const TOPIC = 'pauses'
/** Pauses of other replicas that may still turn out to be not so serious. */
const MAX_PAUSES = 100

/**
 * `pauseWindow`, which pauses all replicas when one of them meets a limit.
 *
 * @param paused is called when another replica's pause begins here
 */
export function sharePauses(
  pauseWindow: PauseWindow,
  state: Pick<SharedState, 'publish' | 'subscribe'>,
  paused: (wait: number) => void,
): PauseWindow {
  const others = new LRUCache<string, StartedPause>({ max: MAX_PAUSES })
  state.subscribe(TOPIC, (text, left) => {
    const { id, serious } = JSON.parse(text) as PauseMessage
    const known = others.get(id)
    if (known === undefined) {
      const started = pauseWindow.start(left)
      if (!serious) started.shorten(left)
      others.set(id, started)
      if (started.isNew) paused(left)
    } else if (!serious) {
      known.shorten(left)
    }
  })

  function publish(message: PauseMessage): void {
    state.publish(TOPIC, JSON.stringify(message), message.wait)
  }

  return {
    ...pauseWindow,
    start(milliseconds) {
      const started = pauseWindow.start(milliseconds)
      if (!started.isNew) return started
      const id = randomUUID()
      publish({ id, wait: milliseconds, serious: true })
      return {
        isNew: true,
        shorten(milliseconds) {
          started.shorten(milliseconds)
          publish({ id, wait: milliseconds, serious: false })
          // Another refusal may have asked for more meanwhile, which was not new then.
          const wait = pauseWindow.remaining()
          if (wait > milliseconds) publish({ id: randomUUID(), wait, serious: true })
        },
      }
    },
  }
}
