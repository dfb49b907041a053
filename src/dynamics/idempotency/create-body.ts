import { BadIdempotencyKey } from '../../errors.ts'

/** The body of a create with an idempotency key: columns, and navigation properties with `@odata.bind`. */
export type Members = Readonly<Record<string, unknown>>

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])
const CLOSING_BRACE = 0x7d

/**
 * The members of a create's body.
 *
 * Nested rows are refused: they could not be compared with the request when the remembered digest is lost.
 *
 * @param keyColumn the table's primary key, which the body must leave to the gateway
 * @throws BadIdempotencyKey for anything but one flat JSON object
 */
export function membersOf(body: Buffer, keyColumn: string): Members {
  const members = objectIn(body)
  for (const [name, value] of Object.entries(members)) {
    if (name.split('@', 1)[0]!.toLowerCase() === keyColumn.toLowerCase()) {
      throw new BadIdempotencyKey(`the body sets ${keyColumn} itself, which makes the create safe to repeat already`)
    }
    if (typeof value === 'object' && value !== null) {
      throw new BadIdempotencyKey(`the body has nested rows or lists, at ${name.slice(0, 100)}`)
    }
  }
  return members
}

/** `body`, a JSON object, with a member added at its end; all other bytes are unchanged. */
export function withMember(body: Buffer, members: Members, name: string, value: string): Buffer {
  const end = body.lastIndexOf(CLOSING_BRACE)
  const member = `${Object.keys(members).length === 0 ? '' : ','}${JSON.stringify(name)}:${JSON.stringify(value)}`
  return Buffer.concat([body.subarray(0, end), Buffer.from(member), body.subarray(end)])
}

function objectIn(body: Buffer): Members {
  let json: unknown
  try {
    json = JSON.parse(body.toString('utf8', startOf(body)))
  } catch {
    throw new BadIdempotencyKey('the body is not valid JSON')
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Members
  throw new BadIdempotencyKey('the body is not a JSON object')
}

function startOf(body: Buffer): number {
  return body.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0
}
