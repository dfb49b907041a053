import type { IncomingHttpHeaders } from 'node:http'

/** Whether a request's head announces a body. */
export function announcesBody(headers: IncomingHttpHeaders): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

/** Bytes that are read and dropped to keep a connection, after a request was refused. */
const WORTH_READING = 64 * 1024

/** Whether the rest of a refused request is too long, or of unknown length, to be read for nothing. */
export function notWorthReading(headers: IncomingHttpHeaders): boolean {
  return announcesBody(headers) && !(Number(headers['content-length']) <= WORTH_READING)
}
