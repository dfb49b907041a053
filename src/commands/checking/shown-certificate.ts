import { connect } from 'node:tls'
import type { PeerCertificate } from 'node:tls'

/** The longest wait for a certificate that is only to be shown. */
const PATIENCE = 5000

/**
 * Who issued the certificate that a host shows, where it is not trusted: names the proxy that opens TLS, or the private authority.
 * The connection is refused as ever, and nothing is sent on it.
 */
export function issuerShown(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let issuer: string | undefined
    const socket = connect({ host, port, servername: host, minVersion: 'TLSv1.2' })
    const done = (): void => {
      socket.destroy()
      resolve(issuer)
    }
    // Comes before the certificate is judged.
    socket.prependListener('secure', () => { issuer = nameOf(socket.getPeerCertificate().issuer) })
    socket.setTimeout(PATIENCE, done).once('error', done).once('secureConnect', done)
  })
}

/** The name of a certificate's subject or issuer, for people. */
export function nameOf(entity: PeerCertificate['issuer'] | undefined): string {
  const { CN: name, O: organisation } = entity ?? {}
  const text = [name, name === undefined ? organisation : organisation === undefined ? undefined : `(${String(organisation)})`]
  return text.filter((part) => part !== undefined).join(' ').slice(0, 120) || 'somebody without a name'
}
