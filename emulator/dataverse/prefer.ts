import type { Operation } from '../http/operation.ts'

/** The preferences of a request (`Prefer`). */
export interface Preferences {
  readonly representation: boolean
  readonly pageSize: number | undefined
  readonly trackChanges: boolean
  readonly continueOnError: boolean
  readonly respondAsync: boolean
  /** Whether `odata.include-annotations` asks for an annotation. */
  annotated(name: string): boolean
  /** The value of `Preference-Applied`; `undefined` when no preference applies. */
  readonly applied: string | undefined
}

const item = /\s*([\w.-]+)\s*(?:=\s*("[^"]*"|[^,;\s]*))?(?:\s*;[^,]*)?\s*(?:,|$)/y

/** Reads `Prefer`, whose quoted values may contain commas. */
export function preferencesOf({ headers }: Operation): Preferences {
  const text = headers.get('prefer') ?? ''
  const found = new Map<string, string>()
  item.lastIndex = 0
  for (let match = item.exec(text); match?.[1] !== undefined; match = item.exec(text)) {
    found.set(match[1].toLowerCase(), (match[2] ?? '').replaceAll('"', ''))
    if (item.lastIndex >= text.length) break
  }
  const annotations =
    found
      .get('odata.include-annotations')
      ?.split(',')
      .map((each) => each.trim()) ?? []
  const pageSize = Number(found.get('odata.maxpagesize'))
  const applied = [
    found.get('return') === 'representation' ? 'return=representation' : '',
    annotations.length > 0 ? `odata.include-annotations="${annotations.join(',')}"` : '',
    pageSize > 0 ? `odata.maxpagesize=${pageSize}` : '',
    found.has('odata.track-changes') ? 'odata.track-changes' : '',
    found.has('respond-async') ? 'respond-async' : '',
    found.has('odata.continue-on-error') ? 'odata.continue-on-error' : '',
  ]
    .filter((each) => each !== '')
    .join(', ')
  return {
    representation: found.get('return') === 'representation',
    pageSize: pageSize > 0 ? pageSize : undefined,
    trackChanges: found.has('odata.track-changes'),
    continueOnError: found.has('odata.continue-on-error') && found.get('odata.continue-on-error') !== 'false',
    respondAsync: found.has('respond-async'),
    annotated: (name) => annotations.some((each) => covers(each, name)),
    applied: applied === '' ? undefined : applied,
  }
}

function covers(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name
}
