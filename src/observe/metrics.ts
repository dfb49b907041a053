import type { Registry } from 'prom-client'

import { dynamicsMetrics } from './dynamics-metrics.ts'
import type { DynamicsMetrics } from './dynamics-metrics.ts'
import type { Overload } from './overload.ts'
import { requestMetrics } from './request-metrics.ts'
import type { RequestMetrics } from './request-metrics.ts'
import { read } from './series.ts'
import type { Collect } from './series.ts'

/** All that is counted. */
export interface Metrics {
  /** Counts a request that is over. */
  readonly requestDone: RequestMetrics['done']
  readonly watch: DynamicsMetrics['watch']
  readonly show: DynamicsMetrics['show']
  /** Everything in Prometheus' text format. */
  readonly text: () => Promise<string>
}

/** The media type of `text`. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * The gateway's metrics, and those of its process. There are fewer than a thousand series whatever callers send: no
 * label holds anything of a request but its method, its class of status and its caller's name.
 */
export function createMetrics({ lag: delay, overloaded }: Pick<Overload, 'lag' | 'overloaded'>): Metrics {
  const requests = requestMetrics()
  const dynamics = dynamicsMetrics()
  const collect: readonly Collect[] = [
    ...requests.collect,
    ...dynamics.collect,
    one('gateway_event_loop_delay_seconds', 'How late the event loop was of late: the median.', () => delay() / 1000),
    one('gateway_overloaded', '1 while requests are turned away: the gateway has too much to do.', () =>
      overloaded() ? 1 : 0,
    ),
  ]
  let registry: Promise<Registry> | undefined

  return {
    requestDone: requests.done,
    watch: dynamics.watch,
    show: dynamics.show,
    text: async () => (await (registry ??= registered(collect))).metrics(),
  }
}

function one(name: string, help: string, value: () => number): Collect {
  return read(name, help, () => [{ labels: {}, value: value() }])
}

/** prom-client takes 50 ms to load, so it is only when somebody asks. */
async function registered(collect: readonly Collect[]): Promise<Registry> {
  // Bundled, a package of the older module system has all its names in its default export only.
  const {
    default: { Registry, collectDefaultMetrics },
  } = await import('prom-client')
  const registry = new Registry()
  for (const one of collect) {
    const { name, help, type } = one()
    // All that a registry uses of a metric is its name and `get`; its own classes cost more to count with.
    registry.registerMetric({ name, help, type, get: async () => one() } as never)
  }
  collectDefaultMetrics({ register: registry })
  return registry
}
