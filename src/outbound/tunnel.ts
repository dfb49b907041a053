import type { Socket } from 'node:net'

import { Pool } from 'undici'
import type { buildConnector } from 'undici'

import type { Proxy } from '../config/proxies.ts'
import { OwnError } from '../logging/own-error.ts'
import { resumeSessions } from './tls-sessions.ts'
import type { ConnectSettings } from './tls-sessions.ts'

/** Connects through the network's proxy. The proxy sees the host name, but not the encrypted data. */
export interface Tunnel {
  readonly connect: buildConnector.connector
  readonly close: () => Promise<void>
}

/**
 * A tunnel through `proxy` (CONNECT). undici's own ProxyAgent drops repeated headers, and retries forever when the
 * proxy closes the connection.
 *
 * @until undici's ProxyAgent keeps repeated headers and gives up when the proxy closes the connection
 * @param tls the TLS options of the connection inside the tunnel, and the connect timeout
 */
export function tunnel(proxy: Proxy, tls: ConnectSettings): Tunnel {
  const toProxy = new Pool(proxy.origin, { connect: tls, headersTimeout: tls.timeout })
  const within = resumeSessions(tls)

  return {
    connect(options, callback) {
      const authority = authorityOf(options)
      const authorization = proxy.authorization()
      const headers = [
        'host',
        authority,
        ...(authorization === undefined ? [] : ['proxy-authorization', authorization]),
      ]
      toProxy.connect({ path: authority, headers }).then(
        ({ statusCode, socket: duplex }) => {
          // undici's types declare it only as a Duplex.
          const socket = duplex as Socket
          if (statusCode !== 200) {
            socket.on('error', () => {}).destroy()
            const refusal = new OwnError(`the proxy answered ${statusCode}`)
            return callback(Object.assign(refusal, { code: `PROXY_${statusCode}` }), null)
          }
          if (options.protocol !== 'https:') return callback(null, socket)
          within({ ...options, httpSocket: socket }, callback)
        },
        (error: NodeJS.ErrnoException) => {
          // undici's error about a response that is not HTTP has no code.
          const failure = new OwnError('no way through the proxy', { cause: error })
          callback(Object.assign(failure, { code: `PROXY_${error.code ?? 'BROKE_OFF'}` }), null)
        },
      )
    },
    close: () => toProxy.destroy(),
  }
}

/** Host and port, in the form of CONNECT. */
export function authorityOf({ protocol, hostname, port }: buildConnector.Options): string {
  const host = hostname.includes(':') ? `[${hostname}]` : hostname
  return `${host}:${port || (protocol === 'https:' ? '443' : '80')}`
}
