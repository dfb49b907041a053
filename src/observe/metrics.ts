import type { Registry } from 'prom-client'

import { dynamicsMetrics } from './dynamics-metrics.ts'
import type { DynamicsMetrics } from './dynamics-metrics.ts'
import type { Overload } from './overload.ts'
import { requestMetrics } from './request-metrics.ts'
import type { RequestMetrics } from './request-metrics.ts'
import { read } from './series.ts'
import type { Collect, Family } from './series.ts'

/** All that is counted. */
export interface Metrics {
  /** Counts a request that is over. */
  readonly requestDone: RequestMetrics['done']
  readonly watch: DynamicsMetrics['watch']
  readonly show: DynamicsMetrics['show']
  /** Everything in Prometheus' text format, or in OpenMetrics' where `accept` names that; it has exemplars. */
  readonly page: (accept: string | undefined) => Promise<MetricsPage>
}

/** What is answered to whoever scrapes. */
export interface MetricsPage {
  readonly contentType: string
  readonly text: string
}

/**
 * The gateway's metrics, and those of its process. There are fewer than a thousand series whatever callers send: no
 * label holds anything of a request but its method, its target's and its caller's name, and how it ended.
 */
export function createMetrics({ lag: delay, overloaded }: Pick<Overload, 'lag' | 'overloaded'>): Metrics {
  const requests = requestMetrics()
  const dynamics = dynamicsMetrics()
  const collect: readonly Collect[] = [
    ...requests.collect,
    ...dynamics.collect,
    one(
      'gateway_event_loop_delay_seconds',
      'Median lag of the event loop in the last half second.',
      () => delay() / 1000,
    ),
    one('gateway_overloaded', '1 while requests are turned away: the gateway has too much to do.', () =>
      overloaded() ? 1 : 0,
    ),
  ]
  const registries = new Map<Format, Promise<Registry>>()

  return {
    requestDone: requests.done,
    watch: dynamics.watch,
    show: dynamics.show,
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

/** prom-client takes 50 ms to load, so it is only when somebody asks. */
async function registered(collect: readonly Collect[], format: Format): Promise<Registry> {
  // Bundled, a package of the older module system has all its names in its default export only.
  const {
    default: { Registry, collectDefaultMetrics },
  } = await import('prom-client')
  const registry = new Registry()
  // Its constructor takes the format, which its types do not know.
  if (format === 'open') registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never)
  collectDefaultMetrics({ register: registry })
  for (const one of collect) {
    const named = (): Family => (format === 'open' ? withoutSuffix(one()) : one())
    const { name, help, type } = named()
    // All that a registry uses of a metric is its name and `get`; its own classes cost more to count with.
    registry.registerMetric({ name, help, type, get: async () => named() } as never)
  }
  return registry
}

/** In OpenMetrics the suffix of a counter belongs to its values; prom-client adds it. */
function withoutSuffix(family: Family): Family {
  return family.type === 'counter' ? { ...family, name: family.name.replace(/_total$/, '') } : family
}
