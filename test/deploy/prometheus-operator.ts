/**
 * The part of the Prometheus operator's objects that the chart uses.
 *
 * @see https://prometheus-operator.dev/docs/api-reference/api/
 */
interface Monitor<Spec> {
  apiVersion: 'monitoring.coreos.com/v1'
  metadata: { name: string; namespace?: string; labels?: Record<string, string> }
  spec: Spec
}

interface Endpoint {
  /** The name of a port. */
  port: string
  path: string
  interval: string
}

interface Selector {
  matchLabels: Record<string, string>
}

/** Asks the pods behind a Service for metrics. */
export interface ServiceMonitor extends Monitor<{ selector: Selector; endpoints: Endpoint[] }> {
  kind: 'ServiceMonitor'
}

/** Asks pods for metrics. */
export interface PodMonitor extends Monitor<{ selector: Selector; podMetricsEndpoints: Endpoint[] }> {
  kind: 'PodMonitor'
}
