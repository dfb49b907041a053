import type { ResourceSpans } from './otlp-receiver.ts'

interface JsonAttribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

interface JsonSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly JsonAttribute[]
  readonly status: { readonly code?: number }
  readonly events?: readonly unknown[]
  readonly flags: number
}

interface JsonScopeSpans {
  readonly scope: { readonly name: string; readonly version: string }
  readonly spans: readonly JsonSpan[]
}

/** OTLP's JSON: ids are hexadecimal, 64-bit numbers are texts. */
export function decodeJson(body: Buffer): ResourceSpans[] {
  const { resourceSpans } = JSON.parse(body.toString()) as {
    resourceSpans: { resource: { attributes: JsonAttribute[] }; scopeSpans: JsonScopeSpans[] }[]
  }
  return resourceSpans.map(({ resource, scopeSpans }) => ({
    resource: attributesOf(resource.attributes),
    scopes: scopeSpans.map(({ scope }) => [scope.name, scope.version]),
    spans: scopeSpans
      .flatMap(({ spans }) => spans)
      .map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId,
        name: span.name,
        kind: span.kind,
        start: BigInt(span.startTimeUnixNano),
        end: BigInt(span.endTimeUnixNano),
        attributes: attributesOf(span.attributes),
        status: span.status.code ?? 0,
        events: span.events?.length ?? 0,
        flags: span.flags,
      })),
  }))
}

function attributesOf(attributes: readonly JsonAttribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}
