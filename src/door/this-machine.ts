import type { IncomingMessage } from 'node:http'

import { isForwardingHeader } from '../identity/forwarding-headers.ts'
import { isLoopbackAddress } from '../odata/loopback.ts'

/**
 * Creates the function that checks whether a request was sent by this machine: over loopback or the gateway's Unix
 * socket, and not forwarded by a local proxy.
 *
 * @param host where the gateway listens
 */
export function fromThisMachine(host: string): (request: Pick<IncomingMessage, 'socket' | 'headers'>) => boolean {
  const unixSocket = host.startsWith('unix:')
  return ({ socket, headers }) => {
    const near = socket.remoteAddress === undefined ? unixSocket : isLoopbackAddress(socket.remoteAddress)
    return near && !Object.keys(headers).some(isForwardingHeader)
  }
}
