import { rethrowUnless } from '../logging/rethrow-unless.ts'
import { misspeltVariable } from './misspelt-variable.ts'
import { belongTogether, readCertificates, readPrivateKey } from './pem-file.ts'
import { placeholderIn } from './placeholders.ts'
import { SettingError } from './setting.ts'
import { batchSize, endpoint, headerPairs, isTrue, milliseconds, oneOf, pairs, share } from './tracing-values.ts'
import { unquoted } from './unquoted.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** How requests are traced, as OpenTelemetry's variables say. */
export interface TracingSettings {
  /** Where spans are sent, with the path. */
  readonly url: string
  readonly protocol: (typeof PROTOCOLS)[number]
  /** Headers of an export. They may hold a key, so no print-out shows them. */
  readonly headers: () => Readonly<Record<string, string>>
  readonly compression: 'none' | 'gzip'
  /** Longest time that one export may take, retries included. */
  readonly timeoutMs: number
  /** Certificate authorities and a client certificate, in PEM. */
  readonly tls: () => { readonly ca?: string; readonly cert?: string; readonly key?: string }
  /** What the service is called, and its other resource attributes. */
  readonly resource: Readonly<Record<string, string>>
  readonly sampler: Sampler
  readonly batch: BatchSettings
}

export interface Sampler {
  /** Whether a caller's `traceparent` decides. */
  readonly isParentBased: boolean
  /** Share of the other traces that is recorded: 0 to 1. */
  readonly ratio: number
}

/** How many spans are sent together. */
export interface BatchSettings {
  readonly maxSpans: number
  /** How long a span waits for others, in milliseconds. */
  readonly delayMs: number
}

const PROTOCOLS = ['http/protobuf', 'http/json'] as const
const COMPRESSIONS = ['none', 'gzip'] as const

/** By OpenTelemetry's names; `undefined`: the ratio is that of OTEL_TRACES_SAMPLER_ARG. */
const SAMPLERS: Readonly<Record<string, { readonly isParentBased: boolean; readonly ratio?: number }>> = {
  parentbased_always_on: { isParentBased: true, ratio: 1 },
  parentbased_always_off: { isParentBased: true, ratio: 0 },
  parentbased_traceidratio: { isParentBased: true },
  always_on: { isParentBased: false, ratio: 1 },
  always_off: { isParentBased: false, ratio: 0 },
  traceidratio: { isParentBased: false },
}

const DEFAULT_TIMEOUT_MS = 10_000
const DEFAULT_BATCH_DELAY_MS = 5000
const DEFAULT_BATCH_SPANS = 512

/**
 * Reads OpenTelemetry's variables. Without an endpoint, or where they switch it off, there is no tracing. A variable for
 * traces alone counts before the one for all signals. Adds what is wrong to `errors`, by the variable's name and never
 * by its value, which may hold a key; names that are not read here are left alone.
 *
 * @see https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export function readTracing(variables: Variables, errors: string[]): TracingSettings | undefined {
  const faults = new Set<string>()
  const known = new Set<string>()
  /** The first variable that is set, read by `parse`. */
  function read<T, D>(names: readonly string[], parse: (text: string, name: string) => T, otherwise: D): T | D {
    for (const name of names) known.add(name)
    for (const name of names) {
      const text = unquoted(variables[name] ?? '')
      if (text === '') continue
      try {
        const left = name.endsWith('_HEADERS') ? undefined : placeholderIn(text)
        if (left !== undefined) throw new SettingError(`holds ${left}: write the value itself.`)
        return parse(text, name)
      } catch (error) {
        rethrowUnless(error, SettingError)
        faults.add(`${name} ${error.message}`)
      }
      return otherwise
    }
    return otherwise
  }
  const setOf = (names: readonly string[]): string | undefined =>
    names.find((name) => unquoted(variables[name] ?? '') !== '')
  const isOff =
    read(['OTEL_SDK_DISABLED'], isTrue, false) || read(['OTEL_TRACES_EXPORTER'], oneOf(EXPORTERS), 'otlp') === 'none'
  const url = read(ofTraces('ENDPOINT'), endpoint, undefined)
  const ratio = read(['OTEL_TRACES_SAMPLER_ARG'], share, 1)
  const sampler = read(['OTEL_TRACES_SAMPLER'], samplerOf, SAMPLERS['parentbased_always_on']!)
  const serviceName = read(['OTEL_SERVICE_NAME'], (text) => text, undefined)
  // Both are sent; a header for traces alone counts before another of its name.
  const headers = {
    ...read(['OTEL_EXPORTER_OTLP_HEADERS'], headerPairs, {}),
    ...read(['OTEL_EXPORTER_OTLP_TRACES_HEADERS'], headerPairs, {}),
  }
  const [ofCertificate, ofKey] = [ofTraces('CLIENT_CERTIFICATE'), ofTraces('CLIENT_KEY')]
  const tls = {
    ...read(ofTraces('CERTIFICATE'), (path) => ({ ca: readCertificates(path) }), {}),
    ...read(ofCertificate, (path) => ({ cert: readCertificates(path) }), {}),
    ...read(ofKey, (path) => ({ key: readPrivateKey(path) }), {}),
  }
  const [certificateName, keyName] = [setOf(ofCertificate), setOf(ofKey)]
  if ((certificateName === undefined) !== (keyName === undefined)) {
    const missing = certificateName === undefined ? ofCertificate : ofKey
    faults.add(`${certificateName ?? keyName!} is set, but ${missing[1]!} is not: set both, or neither.`)
  } else if (tls.cert !== undefined && tls.key !== undefined && !belongTogether(tls.cert, tls.key)) {
    faults.add(
      `${certificateName!} and ${keyName!} name a certificate and a key that do not belong together: ` +
        'write the key that the certificate was made for.',
    )
  }
  const settings = {
    protocol: read(ofTraces('PROTOCOL'), protocolOf, 'http/protobuf' as const),
    headers: () => headers,
    compression: read(ofTraces('COMPRESSION'), oneOf(COMPRESSIONS), 'none' as const),
    timeoutMs: read(ofTraces('TIMEOUT'), milliseconds, DEFAULT_TIMEOUT_MS),
    tls: () => tls,
    resource: {
      'service.name': 'dynamics-gateway',
      ...read(['OTEL_RESOURCE_ATTRIBUTES'], pairs, {}),
      ...(serviceName === undefined ? {} : { 'service.name': serviceName }),
    },
    sampler: { isParentBased: sampler.isParentBased, ratio: sampler.ratio ?? ratio },
    batch: {
      maxSpans: read(['OTEL_BSP_MAX_EXPORT_BATCH_SIZE'], batchSize, DEFAULT_BATCH_SPANS),
      delayMs: read(['OTEL_BSP_SCHEDULE_DELAY'], milliseconds, DEFAULT_BATCH_DELAY_MS),
    },
  }
  if (isOff) return undefined
  errors.push(...faults, ...misspelt(variables, known))
  return url === undefined ? undefined : { url, ...settings }
}

/** OpenTelemetry's variables of log batches. They resemble those of span batches, and are not read here. */
const LOG_BATCHES = 'OTEL_BLRP_'

/** Errors for misspelt variables. OpenTelemetry's further variables, which are not read here, resemble none of `known`. */
function misspelt(variables: Variables, known: ReadonlySet<string>): string[] {
  return Object.keys(variables).flatMap((name) => {
    const near = name.startsWith('OTEL_') && !name.startsWith(LOG_BATCHES) ? misspeltVariable(name, known) : undefined
    return near === undefined ? [] : [`${name} is not a variable of OpenTelemetry. Did you mean ${near}?`]
  })
}

/** A variable of the exporter: the one for traces alone, then the one for all signals. */
function ofTraces(name: string): readonly string[] {
  return [`OTEL_EXPORTER_OTLP_TRACES_${name}`, `OTEL_EXPORTER_OTLP_${name}`]
}

const EXPORTERS = ['otlp', 'none'] as const

function protocolOf(text: string): TracingSettings['protocol'] {
  if (text.toLowerCase() === 'grpc') {
    throw new SettingError('is grpc, which the gateway does not support: write http/protobuf, and the port 4318.')
  }
  return oneOf(PROTOCOLS)(text)
}

function samplerOf(text: string): (typeof SAMPLERS)[string] {
  return SAMPLERS[oneOf(Object.keys(SAMPLERS))(text)]!
}
