import { headersWithout } from '../../odata/flat-headers.ts'
import { bufferedBody } from '../buffered-response.ts'
import { withHeader } from '../send.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../send.ts'

/** Headers of a create that are meaningless or have another meaning on the GET of its row. */
const CREATE_ONLY_HEADERS = /^(?:content-|if-|mscrm\.suppressduplicatedetection$)/

const NO_BODY = Buffer.alloc(0)

/** The header that marks the response of an earlier request with the same key. */
const REPLAYED_HEADER = 'idempotency-replayed'

/** A GET of the row of `create`, as its user and with its headers. */
export function rowRequest(create: OutboundRequest, path: string): OutboundRequest {
  const headers = headersWithout(create.headers, (name) => CREATE_ONLY_HEADERS.test(name))
  return {
    ...create,
    method: 'GET',
    path,
    headers,
    body: undefined,
    bodyLength: undefined,
    repeatable: 'read',
    transform: undefined,
    idempotency: undefined,
  }
}

/**
 * The response to a create whose row already exists: its URL, and the row in its current state if the caller prefers
 * `return=representation`.
 *
 * @param origin of the environment, for the addresses in the headers
 */
export async function replay(
  send: Send,
  create: OutboundRequest,
  id: string,
  origin: string,
): Promise<UpstreamResponse> {
  const queryStart = create.path.indexOf('?')
  const path = `${queryStart === -1 ? create.path : create.path.slice(0, queryStart)}(${id})`
  const query = queryStart === -1 ? '' : create.path.slice(queryStart)
  const address = origin + path
  const locationHeaders = ['Location', address, 'OData-EntityId', address]
  if (create.idempotency?.wantsRow !== true) {
    return { status: 204, headers: bytesOf(['OData-Version', '4.0', ...locationHeaders]), body: bufferedBody(NO_BODY) }
  }
  const response = await send(rowRequest(create, path + query))
  if (response.status !== 200) return response
  const applied = withHeader(response, 'preference-applied', 'return=representation')
  return { status: 201, headers: [...applied.headers, ...bytesOf(locationHeaders)], body: response.body }
}

/** `response`, marked as the response of an earlier request. */
export function markReplayed(response: UpstreamResponse): UpstreamResponse {
  return response.status < 300 ? withHeader(response, REPLAYED_HEADER, 'true') : response
}

function bytesOf(headers: readonly string[]): Buffer[] {
  return headers.map((text) => Buffer.from(text, 'latin1'))
}
