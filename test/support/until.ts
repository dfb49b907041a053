import { setTimeout as sleep } from 'node:timers/promises'

/** Longer than a busy machine needs, and shorter than tap's own limit. */
const GIVE_UP_MS = 300_000

/** Waits until `condition` holds. Throws after {@link GIVE_UP_MS}. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + GIVE_UP_MS; !(await condition()); await sleep(5)) {
    if (performance.now() > end) throw new Error(`did not become true: ${condition.toString()}`)
  }
}
