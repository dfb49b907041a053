import { placeholderInSecret } from './placeholders.ts'
import { SettingError } from './setting.ts'

// How values of OpenTelemetry's variables are read. Each function throws a SettingError, which never holds the value.

/** The largest delay that a timer takes. */
const MAX_TIMEOUT_MS = 2_147_483_647

/** The most spans in a batch: no more may wait (`src/observe/tracing/span-batches.ts`). */
const MAX_BATCH_SPANS = 2048

/** `true` or `false`. */
export function isTrue(text: string): boolean {
  return oneOf(['true', 'false'])(text) === 'true'
}

/** One of a few words, in any case. */
export function oneOf<const W extends string>(words: readonly W[]): (text: string) => W {
  return (text) => {
    const word = words.find((word) => word === text.toLowerCase())
    if (word === undefined) throw new SettingError(`is not known: write one of ${words.join(', ')}.`)
    return word
  }
}

/** A number from 0 to 1. */
export function share(text: string): number {
  const number = /^\d*\.?\d+$/.test(text) ? Number(text) : NaN
  if (!(number <= 1)) throw new SettingError('is not a share: write a number from 0 to 1, such as 0.1.')
  return number
}

/** A number of milliseconds, at least 1. */
export function milliseconds(text: string): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : NaN
  if (number === 0 || !(number <= MAX_TIMEOUT_MS)) {
    throw new SettingError('is not a number of milliseconds: write 10000 for ten seconds.')
  }
  return number
}

/** A number of spans, at least 1. */
export function batchSize(text: string): number {
  const number = /^\d{1,4}$/.test(text) ? Number(text) : NaN
  if (!(number >= 1 && number <= MAX_BATCH_SPANS)) {
    throw new SettingError(`is not a number of spans: write 1 to ${MAX_BATCH_SPANS}.`)
  }
  return number
}

/** The path of traces is added to an endpoint for all signals only. */
export function endpoint(text: string, name: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new SettingError('is not the URL of a collector: write http://host:4318.')
  }
  if (/[{}$]/.test(url.hostname) || url.port === '0' || url.hash !== '') {
    throw new SettingError('has a host, a port or an end that no collector has: write http://host:4318.')
  }
  if (url.username + url.password !== '') {
    throw new SettingError('holds a name or a password: leave it out, and write OTEL_EXPORTER_OTLP_HEADERS.')
  }
  if (!name.includes('_TRACES_')) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`
  return url.href
}

/** `name=value,name=value`, percent-encoded. */
export function pairs(text: string): Record<string, string> {
  const entries = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  return Object.fromEntries(
    entries.map((entry) => {
      const [, name, value] = /^([^=]+?)\s*=\s*(.*)$/.exec(entry) ?? []
      if (name === undefined) throw new SettingError('is not a list: write name=value,name=value.')
      try {
        return [decodeURIComponent(name), decodeURIComponent(value!)]
      } catch {
        throw new SettingError('holds a % that begins no code: write %25 for a %.')
      }
    }),
  )
}

/** The same, as headers. */
export function headerPairs(text: string): Record<string, string> {
  const headers = pairs(text)
  for (const [name, value] of Object.entries(headers)) {
    const left = placeholderInSecret(value.replace(/^(?:Basic|Bearer) /i, ''))
    if (left !== undefined) throw new SettingError(`holds ${left}: write the value itself.`)
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name) || !/^[\t\x20-\x7e]*$/.test(value)) {
      throw new SettingError('holds what no header can hold: write name=value,name=value.')
    }
  }
  return headers
}
