import { type Json, writeJson } from '../http/json.ts'
import type { Header, Operation, Reply } from '../http/operation.ts'
import { parted, queryOptions } from './address.ts'
import type { Environment } from './environment.ts'
import { preferencesOf } from './prefer.ts'
import type { Writing } from './representation.ts'

/** How the answer to `operation` is to be written. */
export function writingOf(environment: Environment, operation: Operation): Writing {
  const accept = `${operation.headers.get('accept') ?? ''};${formatOf(operation)}`
  const [, metadata = 'minimal'] = /odata\.metadata=(full|none|minimal)/.exec(accept) ?? []
  const { path } = parted(operation.target)
  const version = /^\/api\/data\/v9\.\d/.exec(path)?.[0] ?? '/api/data/v9.2'
  return {
    environment,
    root: `${operation.origin}${version}`,
    metadata: metadata as Writing['metadata'],
    preferences: preferencesOf(operation),
  }
}

/** A JSON answer with the headers that every one has. */
export function jsonReply(
  status: number,
  json: Json,
  { metadata, preferences }: Writing,
  headers: readonly Header[] = [],
  suffix = '',
): Reply {
  return {
    status,
    headers: [
      ['Content-Type', `application/json; odata.metadata=${metadata}${suffix}`],
      ...headers,
      ...(preferences.applied === undefined ? [] : [['Preference-Applied', preferences.applied] as const]),
    ],
    body: writeJson(json),
  }
}

function formatOf(operation: Operation): string {
  return queryOptions(parted(operation.target).query).get('$format') ?? ''
}
