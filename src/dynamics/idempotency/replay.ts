import { bufferedBody } from '../buffered-response.ts'
import { withHeader } from '../send.ts'
import type { Answer, OutboundRequest, Send } from '../send.ts'

/** Headers of a create that make no sense, or another one, on the GET of its row. */
const OF_THE_CREATE = /^(?:content-|if-|mscrm\.suppressduplicatedetection$)/i

const NO_BODY = Buffer.alloc(0)

/** The header that says that an answer is that of an earlier request with the same key. */
export const REPLAYED = 'idempotency-replayed'

/** A GET of the row that `create` has made, by its user and with the create's own headers. */
export function rowRequest(create: OutboundRequest, path: string): OutboundRequest {
  const headers = create.headers.filter((_, index, all) => !OF_THE_CREATE.test(all[index - (index % 2)]!))
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
 * The answer to a create whose row is there already: where the row is, and the row as it is now if the caller prefers
 * `return=representation`.
 *
 * @param origin of the environment, for the addresses in the headers
 */
export async function replay(send: Send, create: OutboundRequest, id: string, origin: string): Promise<Answer> {
  const mark = create.path.indexOf('?')
  const path = `${mark === -1 ? create.path : create.path.slice(0, mark)}(${id})`
  const query = mark === -1 ? '' : create.path.slice(mark)
  const address = origin + path
  const where = ['Location', address, 'OData-EntityId', address]
  if (create.idempotency?.wantsRow !== true) {
    return { status: 204, headers: bytesOf(['OData-Version', '4.0', ...where]), body: bufferedBody(NO_BODY) }
  }
  const answer = await send(rowRequest(create, path + query))
  if (answer.status !== 200) return answer
  const applied = withHeader(answer, 'preference-applied', 'return=representation')
  return { status: 201, headers: [...applied.headers, ...bytesOf(where)], body: answer.body }
}

/** `answer`, marked as that of an earlier request. */
export function asReplayed(answer: Answer): Answer {
  return answer.status < 300 ? withHeader(answer, REPLAYED, 'true') : answer
}

function bytesOf(headers: readonly string[]): Buffer[] {
  return headers.map((text) => Buffer.from(text, 'latin1'))
}
