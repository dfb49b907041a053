import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'

import type { Header, Reply } from '../http/operation.ts'

/** A response as a part of a multipart body, without the delimiter before it. */
export function responsePart(reply: Reply, contentId: string | undefined): string {
  const body = reply.body === undefined ? '' : reply.body.toString()
  const id = contentId === undefined ? '' : `Content-ID: ${contentId}\r\n`
  const headers: readonly Header[] = [
    ...reply.headers,
    ['OData-Version', '4.0'],
    ...(reply.status >= 400 ? [['REQ_ID', randomUUID()] as const] : []),
  ]
  return (
    `Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n${id}\r\n` +
    `HTTP/1.1 ${reply.status} ${STATUS_CODES[reply.status]}\r\n` +
    `${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`
  )
}
