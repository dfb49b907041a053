import { errorCodeIn } from '../dynamics/error-code.ts'
import { header } from '../dynamics/send.ts'
import type { OutboundRequest, UpstreamResponse } from '../dynamics/send.ts'
import { TokenRefused, UserClaimsRequired } from '../errors.ts'
import { beginsLikePage, explainForeign } from '../explanations/foreign-responses.ts'
import { resourcePathOf } from '../odata/target-address.ts'
import type { TargetAddress } from '../odata/target-address.ts'
import { decode } from '../outbound/content-coding.ts'
import { bufferPrefix } from './buffer-prefix.ts'
import { readsOtherTables } from './cache-rules.ts'
import { effectOf } from './effects.ts'

/** How much of a refusal is read for its code, in bytes. */
const MAX_READ_BYTES = 64 * 1024

/** A privilege on a table is missing, or access to a row. Other codes concern the user, such as one without roles. */
const CONCERNS_TABLE = /^0x(?:80040220|80048306)$/

/** A response with status 403, and what it says of the user's rights. */
export interface RefusedRead {
  /** The same response. Some of its body is in memory now. */
  readonly response: UpstreamResponse
  /**
   * Whether it is a page of something on the way, such as a firewall. Then it says nothing of rights in Dynamics. JSON
   * counts as Dynamics' own, even without an error code: codes of Dynamics may be empty, and cached rows that are
   * removed without need only cost a call.
   */
  readonly isForeign: boolean
  /** The entity set whose rows were refused; `undefined`: other rows may be refused, too. */
  readonly entitySet: string | undefined
}

/**
 * Reads the refusal of `request`, until its code is known.
 *
 * @throws GatewayError when the body does not arrive
 */
export async function readRefusal(
  request: Pick<OutboundRequest, 'path'>,
  { status, headers, body }: UpstreamResponse,
  address: TargetAddress,
): Promise<RefusedRead> {
  const contentType = header({ headers }, 'content-type')
  const contentEncoding = header({ headers }, 'content-encoding')
  const challenge = header({ headers }, 'www-authenticate')
  const prefix = await bufferPrefix(body, MAX_READ_BYTES, () => body.dump())
  const response = { status, headers, body: prefix.body() }
  const first = response.body.peek()
  const text = first && decode(first, contentEncoding, MAX_READ_BYTES)
  const isPage = text !== undefined && beginsLikePage(text)
  const code = text === undefined ? undefined : errorCodeIn(text)
  return {
    response,
    isForeign: explainForeign({ status, contentType, challenge, isPage }) !== undefined,
    entitySet: code !== undefined && CONCERNS_TABLE.test(code) ? entitySetOf(request.path, address) : undefined,
  }
}

/** Whether a read failed because Dynamics does not accept the token, so all rows may be refused to its user. */
export function isTokenRefusal(error: unknown): boolean {
  return error instanceof TokenRefused || error instanceof UserClaimsRequired
}

/** The one entity set that is read, in lower case; `undefined` if there may be others. */
function entitySetOf(path: string, address: TargetAddress): string | undefined {
  const queryStart = path.indexOf('?')
  const [pathOnly, query] = queryStart === -1 ? [path, ''] : [path.slice(0, queryStart), path.slice(queryStart)]
  const resourcePath = resourcePathOf(address, pathOnly)
  const { entitySet } = effectOf('GET', resourcePath)
  if (entitySet === undefined || readsOtherTables(query)) return undefined
  // A name with capital letters is that of a function.
  return resourcePath!.includes(entitySet) ? entitySet : undefined
}
