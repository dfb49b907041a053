import { randomUUID } from 'node:crypto'
import type { Reply } from './operation.ts'

/** An answer as a part of a multipart body, without the delimiter before it. */
export function httpLines(reply: Reply, contentId: string | undefined): string {
  const body = reply.body === undefined ? '' : reply.body.toString()
  const id = contentId === undefined ? '' : `Content-ID: ${contentId}\r\n`
  const headers = [...reply.headers, ['OData-Version', '4.0'] as const, ...(reply.status >= 400 ? [['REQ_ID', randomUUID()] as const] : [])]
  return `Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n${id}\r\n`
    + `HTTP/1.1 ${reply.status} ${reasons[reply.status] ?? 'Status'}\r\n`
    + `${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`
}

const reasons: Readonly<Record<number, string>> = {
  200: 'OK', 201: 'Created', 204: 'No Content', 206: 'Partial Content', 304: 'Not Modified', 400: 'Bad Request',
  401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed', 412: 'Precondition Failed',
  415: 'Unsupported Media Type', 429: 'Too Many Requests', 500: 'Internal Server Error', 503: 'Service Unavailable',
}
