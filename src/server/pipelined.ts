import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Closes a response that waits for earlier ones on its connection when that connection closes. Otherwise its
 * request would never end: it would be neither cancelled nor in the log and the audit log.
 *
 * @until Node 24, which closes them itself
 */
export function closeWithConnection(response: ServerResponse): void {
  const socket = response.req.socket as WithWaiting
  let waiting = socket[WAITING]
  if (waiting === undefined) {
    const responses = (waiting = socket[WAITING] = new Set())
    // Once its turn comes, Node closes it with the connection.
    socket.once('close', () => {
      for (const one of responses) if (one.socket === null) one.destroy().emit('close')
    })
  }
  waiting.add(response)
  response.once('close', () => waiting.delete(response))
}

const WAITING = Symbol('responses that wait for earlier ones')

interface WithWaiting extends Socket {
  [WAITING]?: Set<ServerResponse>
}
