import type { Dispatcher } from 'undici'

import { isJsonObject } from '../odata/json-object.ts'
import { parseJson } from '../odata/parse-json.ts'
import { connectionFailure } from './authority-response.ts'
import type { AuthorityResponse } from './authority-response.ts'
import { AuthorityFailure } from './failure.ts'

export interface ExchangeOptions {
  /** The only way out of the process. */
  readonly dispatcher: Dispatcher
  /** Ends the attempt, with an AuthorityFailure as its reason. */
  readonly signal: AbortSignal
  /** Allows plain HTTP, which is only right for a managed identity's local endpoint. */
  readonly plainHttp?: 'allowed'
}

interface AuthorityRequest {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers?: Record<string, string> | undefined
  readonly body?: string | undefined
  /**
   * Whether the request may be sent twice when a connection breaks. Left out: it may. A token request changes nothing,
   * unless it uses up a code or, with some authorities, a refresh token.
   */
  readonly idempotent?: boolean | undefined
}

/** Responses of authorities are smaller. */
const MAX_RESPONSE_BYTES = 1024 * 1024

/**
 * Sends one request to an authority. Does not follow redirects, which would send the credential to another host.
 *
 * @throws AuthorityFailure when no complete response came
 */
export async function authorityRequest(
  { method, url, headers, body, idempotent = true }: AuthorityRequest,
  { dispatcher, signal, plainHttp }: ExchangeOptions,
): Promise<AuthorityResponse> {
  try {
    if (url.protocol !== 'https:' && plainHttp === undefined) {
      throw Object.assign(new Error('not https'), { code: 'NOT_HTTPS' })
    }
    const response = await dispatcher.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers: { accept: 'application/json', ...headers },
      body: body ?? null,
      signal,
      idempotent,
    })
    return {
      status: response.statusCode,
      headers: flat(response.headers),
      body: parse(await readWhole(response.body)),
      url,
    }
  } catch (error) {
    throw signal.aborted ? endedWaiting(signal.reason, url) : connectionFailure(error, url)
  }
}

/** The reason of the signal, with the host that did not respond. */
function endedWaiting(reason: unknown, { host }: URL): unknown {
  if (!(reason instanceof AuthorityFailure)) return reason
  const { explanation, refused, facts } = reason
  return new AuthorityFailure(
    { ...explanation, what: `${explanation.what.slice(0, -1)} (waiting for ${host}).` },
    refused,
    { ...facts, host },
  )
}

async function readWhole(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > MAX_RESPONSE_BYTES) throw Object.assign(new Error('answer too large'), { code: 'ANSWER_TOO_LARGE' })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** A JSON object, or `undefined`: a proxy may respond with a web page. */
function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  const value = parseJson(text)
  return isJsonObject(value) ? value : undefined
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}
