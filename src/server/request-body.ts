import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** Whether a request's head announces a body. */
export function announcesBody(headers: IncomingHttpHeaders): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

/**
 * Whether a caller waits with its body until it is told to go on. One that speaks HTTP/1.0 never does, whatever it says.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
 */
export function awaitsContinue({ headers, httpVersion }: IncomingMessage): boolean {
  return headers.expect !== undefined && httpVersion !== '1.0' && announcesBody(headers)
}

/**
 * Bytes of an unwanted body that are read, so that the caller comes to read its answer; beyond, the connection ends.
 */
const WORTH_READING = 16 * 1024 * 1024

/**
 * Reads and drops what is left of a body that nobody wants any more. Closing at once would reset the connection of a
 * caller that is still sending, and with it the answer that it has not read yet.
 */
export function drain(request: IncomingMessage): void {
  if (request.complete || request.destroyed || !announcesBody(request.headers)) return
  let dropped = 0
  request.on('data', (chunk: Buffer) => {
    dropped += chunk.length
    if (dropped > WORTH_READING) request.destroy()
  })
  request.on('error', () => undefined)
  request.resume()
}
