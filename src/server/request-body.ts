import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** Whether a request's head announces a body. */
export function announcesBody(headers: IncomingHttpHeaders): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

/**
 * Whether a caller waits for 100 Continue before it sends its body. With HTTP/1.0 it never does.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
 */
export function awaitsContinue({ headers, httpVersion }: IncomingMessage): boolean {
  return headers.expect !== undefined && httpVersion !== '1.0' && announcesBody(headers)
}

/**
 * Bytes of an unwanted body that are read, so that the caller reads its response; beyond, the connection is closed.
 */
const MAX_DISCARDED_BYTES = 16 * 1024 * 1024

/**
 * Reads and discards the rest of an unwanted body. Closing at once would reset the connection of a
 * caller that is still sending, and discard the response that it has not read yet.
 */
export function drain(request: IncomingMessage): void {
  if (request.complete || request.destroyed || !announcesBody(request.headers)) return
  let dropped = 0
  request.on('data', (chunk: Buffer) => {
    dropped += chunk.length
    if (dropped > MAX_DISCARDED_BYTES) request.destroy()
  })
  request.on('error', () => undefined)
  request.resume()
}
