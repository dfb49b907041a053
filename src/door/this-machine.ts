import type { IncomingMessage } from 'node:http'

import { isForwardingHeader } from '../identity/forwarding-headers.ts'
import { isLoopbackAddress } from '../odata/loopback.ts'

/**
 * Makes the function that tells whether a request was sent by this machine itself: over loopback or the gateway's Unix
 * socket, and not passed on by a proxy that stands here for somebody else.
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
