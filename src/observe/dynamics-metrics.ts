import type { OnEvent } from '../dynamics/events.ts'
import { eventCounters } from './event-counters.ts'
import type { Collect } from './series.ts'
import { targetGauges } from './target-gauges.ts'
import type { Sources } from './target-gauges.ts'
import { targetLabels } from './target-labels.ts'

export interface DynamicsMetrics {
  /** Counts the events of the target with this name. */
  readonly watch: (target: string) => OnEvent
  /** Adds the state of the target with this name. */
  readonly show: (target: string, sources: Sources) => void
  readonly collect: readonly Collect[]
}

/** Metrics between the gateway and its targets: events that are counted, and state that a scrape reads. */
export function dynamicsMetrics(): DynamicsMetrics {
  const events = eventCounters()
  const labelOf = targetLabels()
  /** By label. */
  const shown = new Map<string, Sources[]>()
  return {
    watch: (name) => {
      const target = labelOf(name)
      return (event) => events.count(target, event)
    },
    show: (name, sources) => {
      const target = labelOf(name)
      shown.set(target, [...(shown.get(target) ?? []), sources])
    },
    collect: [...events.collect, ...targetGauges(shown)],
  }
}
