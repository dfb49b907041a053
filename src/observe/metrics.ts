import type { Registry } from 'prom-client'

import type { Overload } from '../door/overload.ts'
import { dynamicsMetrics } from './dynamics-metrics.ts'
import type { DynamicsMetrics } from './dynamics-metrics.ts'
import { requestMetrics } from './request-metrics.ts'
import type { RequestMetrics } from './request-metrics.ts'
import { read } from './series.ts'
import type { Collect, Family } from './series.ts'

/** All metrics. */
export interface Metrics {
  /** Counts a finished request. */
  readonly requestDone: RequestMetrics['done']
  readonly watch: DynamicsMetrics['watch']
  readonly show: DynamicsMetrics['show']
  /** Shows how much memory kept responses take. */
  readonly showMemory: (size: () => MemorySize) => void
  /** All metrics in Prometheus' text format, or in OpenMetrics (with exemplars) if `accept` asks for it. */
  readonly page: (accept: string | undefined) => Promise<MetricsPage>
}

/** How many responses are kept, and their bytes. */
interface MemorySize {
  readonly responses: number
  readonly bytes: number
}

/** The response to a scrape. */
export interface MetricsPage {
  readonly contentType: string
  readonly text: string
}

/**
 * The metrics of the gateway and its process. There are fewer than a thousand series whatever callers send: no
 * label contains anything of a request except its method, its target's and its caller's name, and its result.
 */
export function createMetrics({ lag: delay, overloaded }: Pick<Overload, 'lag' | 'overloaded'>): Metrics {
  const requests = requestMetrics()
  const dynamics = dynamicsMetrics()
  let memory = (): MemorySize => ({ responses: 0, bytes: 0 })
  const collect: readonly Collect[] = [
    ...requests.collect,
    ...dynamics.collect,
    one(
      'gateway_event_loop_delay_seconds',
      'Median lag of the event loop in the last half second.',
      () => delay() / 1000,
    ),
    one('gateway_memory_responses', 'Responses that are kept in memory.', () => memory().responses),
    one('gateway_memory_bytes', 'Memory that they take, in bytes.', () => memory().bytes),
    one('gateway_overloaded', '1 while the gateway is overloaded and refuses requests.', () => (overloaded() ? 1 : 0)),
  ]
  const registries = new Map<Format, Promise<Registry>>()

  return {
    requestDone: requests.done,
    watch: dynamics.watch,
    show: dynamics.show,
    showMemory: (size) => {
      memory = size
    },
    page: async (accept) => {
      const format = accept?.includes('application/openmetrics-text') === true ? 'open' : 'plain'
      let loading = registries.get(format)
      if (loading === undefined) registries.set(format, (loading = registered(collect, format)))
      const registry = await loading
      return { contentType: registry.contentType, text: await registry.metrics() }
    },
  }
}

function one(name: string, help: string, value: () => number): Collect {
  return read(name, help, () => [{ labels: {}, value: value() }])
}

type Format = 'plain' | 'open'

/** prom-client takes 50 ms to load, so it is loaded at the first scrape. */
async function registered(collect: readonly Collect[], format: Format): Promise<Registry> {
  // In the bundle, a CommonJS package has all its names in its default export only.
  const {
    default: { Registry, collectDefaultMetrics },
  } = await import('prom-client')
  const registry = new Registry()
  // Its constructor accepts the format, which is missing in its types.
  if (format === 'open') registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never)
  collectDefaultMetrics({ register: registry })
  for (const one of collect) {
    const named = (): Family => (format === 'open' ? withoutSuffix(one()) : one())
    const { name, help, type } = named()
    // A registry only uses a metric's name and `get`. Counting with its own classes is slower.
    registry.registerMetric({ name, help, type, get: async () => named() } as never)
  }
  return registry
}

/** In OpenMetrics the suffix of a counter belongs to its values; prom-client adds it. */
function withoutSuffix(family: Family): Family {
  return family.type === 'counter' ? { ...family, name: family.name.replace(/_total$/, '') } : family
}
