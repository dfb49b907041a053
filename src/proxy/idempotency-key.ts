import type { IncomingHttpHeaders } from 'node:http'

import { MAX_KEY_CHARACTERS, parseKey } from '../dynamics/idempotency/key.ts'
import type { IdempotentCreate } from '../dynamics/send.ts'
import { BadIdempotencyKey } from '../errors.ts'
import { isEncoded, isJson } from '../odata/content-type.ts'
import { isRead } from '../odata/methods.ts'
import type { Preferences } from '../odata/preferences.ts'

/** Name of the header, in lower case. */
export const IDEMPOTENCY_KEY = 'idempotency-key'

/** Facts that determine whether a request's key can be honoured. */
interface KeyedRequest {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  /** Raw, below the API root; `undefined` outside it. */
  readonly resourcePath: string | undefined
  /** Whether the target is Dataverse. */
  readonly isDataverse: boolean
  readonly hasBody: boolean
  /** The caller id of the request; empty for the application user. */
  readonly user: string
  readonly preferences: Preferences
}

/**
 * The create for an `Idempotency-Key`; `undefined` without one, or for reads. A key that
 * cannot be honoured is refused, because its caller would rely on it.
 *
 * @throws BadIdempotencyKey
 */
export function idempotentCreate(request: KeyedRequest): IdempotentCreate | undefined {
  const { headers, method, user, preferences } = request
  const written = headers[IDEMPOTENCY_KEY]
  if (written === undefined || isRead(method)) return undefined
  const key = parseKey(String(written))
  if (key === undefined) {
    const form = `write one key of up to ${MAX_KEY_CHARACTERS} visible ASCII characters, in double quotes`
    throw new BadIdempotencyKey(`${form}: Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324"`)
  }
  const entitySet = ENTITY_SET.exec(request.resourcePath ?? '')?.[1]
  if (!request.isDataverse) throw new BadIdempotencyKey('this environment is not Dataverse')
  if (method !== 'POST' || entitySet === undefined) {
    throw new BadIdempotencyKey('it is for creates only, POST /<entity set>')
  }
  if (!request.hasBody || !isJson(headers['content-type']) || isEncoded(headers['content-encoding'])) {
    throw new BadIdempotencyKey('the row must be JSON, with Content-Type: application/json and no Content-Encoding')
  }
  if (preferences.respondAsync) {
    throw new BadIdempotencyKey('an asynchronous create (Prefer: respond-async) has no response to remember')
  }
  return { key, entitySet, user, wantsRow: preferences.wantsRow }
}

/** Refuses a key on a request inside a `$batch`. */
export function refusePartKey(part: number, headers: readonly { readonly name: string }[]): void {
  if (!headers.some(({ name }) => name.toLowerCase() === IDEMPOTENCY_KEY)) return
  throw new BadIdempotencyKey(`part ${part} of the $batch has one; send the create by itself`)
}

const ENTITY_SET = /^\/([A-Za-z_]\w{0,127})$/
