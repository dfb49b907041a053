import type { SharedState } from '../replicas/shared-state.ts'
import type { Versions } from './versions.ts'

const TOPIC = 'definitions'

/**
 * `versions` with changes of definitions shared between replicas. After a write to definitions, a publish or a new
 * stamp at one replica, the others drop their cached definitions. Without a connection each replica relies on its own
 * checks.
 */
export function shareVersions(versions: Versions, state: Pick<SharedState, 'publish' | 'subscribe'>): Versions {
  state.subscribe(TOPIC, () => versions.schemaChanged())
  const publish = (): void => state.publish(TOPIC, '', 0)
  return {
    ...versions,
    changed(effect) {
      versions.changed(effect)
      if (effect.schema) publish()
    },
    schemaChanged() {
      versions.schemaChanged()
      publish()
    },
  }
}
