import { randomUUID } from 'node:crypto'

import { MAX_ADDRESS_CHARACTERS } from '../odata/address-length.ts'
import { type Field, fieldLines } from '../odata/header-fields.ts'
import type { TargetAddress } from '../odata/target-address.ts'
import { bytesOf } from '../odata/text-transform.ts'
import type { OutboundRequest, Send } from './send.ts'
import { unwrapped } from './unwrap-part.ts'

/**
 * Sends a read whose address is too long for Dynamics as the only request of a `$batch`, where it may have twice the
 * length. Innermost, so that everything around it sees a GET and the response to it: limits, retries, tokens, links.
 */
export function longReads(send: Send, address: TargetAddress): Send {
  return (request) => {
    if (request.path.length <= MAX_ADDRESS_CHARACTERS) return send(request)
    return send(batchOf(request, address)).then((response) => unwrapped(response, request))
  }
}

/** The `$batch` is at the root of the version of the API that the request names. */
function batchOf(request: OutboundRequest, { ownPath }: TargetAddress): OutboundRequest {
  const { path, headers } = request
  const root = ownPath.exec(path)![0]
  const boundary = `batch_${randomUUID()}`
  const { outer, inner } = sorted(headers)
  const body =
    `--${boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n` +
    // A HEAD is asked as a GET: a batch is not known to take it.
    `GET ${path} HTTP/1.1\r\n${fieldLines(inner)}\r\n\r\n--${boundary}--\r\n`
  return {
    ...request,
    method: 'POST',
    path: `${root}/$batch`,
    headers: [
      ...outer,
      'accept',
      'multipart/mixed, application/json',
      'content-type',
      `multipart/mixed; boundary=${boundary}`,
    ],
    body: bytesOf(body),
  }
}

/** Which headers belong to the batch, and which to the read inside; what may concern both goes to both. */
function sorted(headers: readonly string[]): { readonly outer: readonly string[]; readonly inner: readonly Field[] } {
  const outer: string[] = []
  const inner: Field[] = []
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!
    const value = headers[index + 1]!
    if (OF_A_BODY.test(name)) continue
    if (!OF_THE_READ.test(name)) outer.push(name, value)
    if (!OF_THE_BATCH.test(name)) inner.push({ name, value })
  }
  return { outer, inner }
}

/** A read has no body, but many clients name the type of one. Beside the batch's own, Dynamics might read that. */
const OF_A_BODY = /^content-/i

/** What the response is to be like, and on which condition. */
const OF_THE_READ = /^(?:accept|prefer|range|if-[\w-]+)$/i

/** Who asks, how the bytes of the connection are coded, and under which ids it is logged. */
const OF_THE_BATCH =
  /^(?:callerobjectid|mscrmcaller(?:object)?id|accept-encoding|user-agent|trace(?:parent|state)|x-ms-client-[\w-]+)$/i
