import type { SharedState } from '../replicas/shared-state.ts'
import type { Versions } from './versions.ts'

const TOPIC = 'definitions'

/**
 * `versions`, whose changes of definitions count at all replicas: a write to definitions, a publish or a new stamp at one
 * of them drops the definitions that the others keep. Without a connection each finds changes out by its own checks.
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
