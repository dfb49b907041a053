import { TLSSocket } from 'node:tls'

import { buildConnector } from 'undici'

/** How connections are secured, and how long connecting may take. */
export type ConnectSettings = buildConnector.BuildOptions & { readonly timeout: number }

/**
 * Connects, and resumes the last TLS session with the same host: one round trip less with TLS 1.2, and no certificates
 * to send and to verify again. undici's own cache holds sessions weakly: the next garbage collection empties it.
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
      // A session may be what the other side refuses.
      if (!socket) sessions.delete(key)
      if (socket instanceof TLSSocket) {
        const remember = (session: Buffer): void => void sessions.set(key, session)
        // With TLS 1.2 the session comes in the handshake; with TLS 1.3 after it, perhaps in the same piece.
        const now = socket.getSession()
        if (now !== undefined) remember(now)
        socket.on('session', remember)
      }
      callback(...outcome)
    })
  }
}
