import { TLSSocket } from 'node:tls'

import { buildConnector } from 'undici'

/** The TLS options of connections, and the connect timeout. */
export type ConnectSettings = buildConnector.BuildOptions & { readonly timeout: number }

/**
 * Connects, and resumes the last TLS session with the same host. That saves a round trip with TLS 1.2, and the transfer
 * and verification of certificates. undici's own cache has only weak references: the next garbage collection empties
 * it.
 *
 * @until undici's connector holds on to its TLS sessions
 */
export function resumeSessions(settings: ConnectSettings): buildConnector.connector {
  const sessions = new Map<string, Buffer>()
  return (options, callback) => {
    const key = `${options.hostname}:${options.port}`
    const session = sessions.get(key)
    const connect = buildConnector({
      ...settings,
      ...(session === undefined ? {} : { session }),
      maxCachedSessions: 0,
    })
    connect(options, (...outcome) => {
      const [, socket] = outcome
      // The server may have refused the session.
      if (!socket) sessions.delete(key)
      if (socket instanceof TLSSocket) {
        const remember = (session: Buffer): void => void sessions.set(key, session)
        // With TLS 1.2 the session arrives in the handshake, with TLS 1.3 after it, perhaps in the same chunk.
        const now = socket.getSession()
        if (now !== undefined) remember(now)
        socket.on('session', remember)
      }
      callback(...outcome)
    })
  }
}
