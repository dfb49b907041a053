import { type Json, writeJson } from '../http/json.ts'
import type { Header, Operation, Reply } from '../http/operation.ts'
import { splitTarget, queryOptions } from './address.ts'
import type { Environment } from './environment.ts'
import { preferencesOf } from './prefer.ts'
import type { ResponseFormat } from './representation.ts'

/** The format of the response to `operation`. */
export function responseFormat(environment: Environment, operation: Operation): ResponseFormat {
  const accept = `${operation.headers.get('accept') ?? ''};${formatOption(operation)}`
  const [, metadata = 'minimal'] = /odata\.metadata=(full|none|minimal)/.exec(accept) ?? []
  const { path } = splitTarget(operation.target)
  const version = /^\/api\/data\/v9\.\d/.exec(path)?.[0] ?? '/api/data/v9.2'
  return {
    environment,
    root: `${operation.origin}${version}`,
    metadata: metadata as ResponseFormat['metadata'],
    preferences: preferencesOf(operation),
  }
}

/** A JSON response with the headers that all JSON responses have. */
export function jsonReply(
  status: number,
  json: Json,
  { metadata, preferences }: ResponseFormat,
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

function formatOption(operation: Operation): string {
  return queryOptions(splitTarget(operation.target).query).get('$format') ?? ''
}
