// Metrics that are cheap to count. The output for Prometheus is created at a scrape.

/** One name in Prometheus' format, with its values. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly values: readonly Value[]
}

export interface Value {
  /** If it differs from the family's name: `_bucket`, `_sum`, `_count`. */
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
  readonly exemplar?: Exemplar
}

/** One observation of a bucket, with its trace. Only in OpenMetrics. */
interface Exemplar {
  readonly labelSet: { readonly trace_id: string }
  readonly value: number
  /** In seconds since 1970. */
  readonly timestamp: number
}

/** A source of metrics for a scrape. */
export type Collect = () => Family

export interface Counter {
  /** Increments the counter of label values, in the order of their names. Only for values with few variants. */
  readonly count: (...labels: readonly string[]) => void
  readonly collect: Collect
}

export function counter(name: string, help: string, ...labelNames: readonly string[]): Counter {
  const series: Series[] = []
  /** A level for each label, because the text of a label is hashed already, and that of all joined would not be. */
  const root: Level = { series: undefined, below: new Map() }
  return {
    count(...labels) {
      let level = root
      for (const label of labels) {
        let next = level.below.get(label)
        if (next === undefined) level.below.set(label, (next = { series: undefined, below: new Map() }))
        level = next
      }
      if (level.series === undefined) series.push((level.series = { labels: named(labelNames, labels), value: 1 }))
      else level.series.value++
    },
    collect: () => ({ name, help, type: 'counter', values: [...series] }),
  }
}

interface Series {
  readonly labels: Readonly<Record<string, string>>
  value: number
}

/** The series with the same first labels. */
interface Level {
  /** The series with these labels only. */
  series: Series | undefined
  readonly below: Map<string, Level>
}

export interface Histogram {
  /** @param traceId the trace of the observation, if it is traced */
  readonly observe: (value: number, traceId?: string) => void
  readonly collect: Collect
}

/** @param bounds the upper bounds of the buckets, rising */
export function histogram(name: string, help: string, bounds: readonly number[]): Histogram {
  const counts = [...bounds, Infinity].map(() => 0)
  const exemplars: (Exemplar | undefined)[] = []
  let sum = 0
  return {
    observe(value, traceId) {
      let bucket = 0
      while (bucket < bounds.length && value > bounds[bucket]!) bucket++
      counts[bucket]!++
      sum += value
      if (traceId === undefined) return
      exemplars[bucket] = { labelSet: { trace_id: traceId }, value, timestamp: Date.now() / 1000 }
    },
    collect() {
      let total = 0
      const buckets = [...bounds, '+Inf'].map((le, index): Value => {
        total += counts[index]!
        const exemplar = exemplars[index]
        const bucket = { metricName: `${name}_bucket`, labels: { le }, value: total }
        return exemplar === undefined ? bucket : { ...bucket, exemplar }
      })
      const summary = [
        ['sum', sum],
        ['count', total],
      ] as const
      const values = summary.map(([suffix, value]): Value => ({ metricName: `${name}_${suffix}`, labels: {}, value }))
      return { name, help, type: 'histogram', values: [...buckets, ...values] }
    },
  }
}

/** A gauge, or a counter that is counted elsewhere. Targets without a value are omitted. */
export function read(
  name: string,
  help: string,
  values: () => readonly (Omit<Value, 'value'> & { readonly value: number | undefined })[],
  type: 'gauge' | 'counter' = 'gauge',
): Collect {
  return () => ({
    name,
    help,
    type,
    values: values().flatMap(({ labels, value }) => (value === undefined ? [] : [{ labels, value }])),
  })
}

function named(names: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name, index) => [name, values[index]!]))
}
