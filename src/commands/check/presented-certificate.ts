import { isIP } from 'node:net'
import { connect } from 'node:tls'
import type { PeerCertificate } from 'node:tls'

/** The longest wait for the certificate. */
const TIMEOUT_MS = 5000

/**
 * Describes a certificate that a host presents and that is not trusted. It shows the proxy that decrypts TLS, the
 * private authority, or the host that answers in place of another. The connection is not accepted, and nothing is sent
 * on it.
 */
export function presentedCertificate(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let shown: string | undefined
    // Node warns of addresses as server names, which RFC 6066 does not allow.
    const servername = isIP(host) === 0 ? host : ''
    const socket = connect({ host, port, servername, minVersion: 'TLSv1.2' })
    const done = (): void => {
      socket.destroy()
      resolve(shown)
    }
    // This event comes before the certificate is verified.
    socket.prependListener('secure', () => {
      const { issuer, subject, valid_to: end } = socket.getPeerCertificate()
      shown = `from ${nameOf(issuer)}, for ${nameOf(subject)}, until ${day(end)}`
    })
    socket.setTimeout(TIMEOUT_MS, done).once('error', done).once('secureConnect', done)
  })
}

/** The day of a certificate's date. */
export function day(date: string): string {
  const time = Date.parse(date)
  return Number.isNaN(time) ? date : new Date(time).toISOString().slice(0, 10)
}

/** The name of a certificate's subject or issuer, for people. */
export function nameOf(entity: PeerCertificate['issuer'] | undefined): string {
  const { CN: name, O: organisation } = entity ?? {}
  const text = [
    name,
    name === undefined ? organisation : organisation === undefined ? undefined : `(${String(organisation)})`,
  ]
  return (
    text
      .filter((part) => part !== undefined)
      .join(' ')
      .slice(0, 120) || 'an unnamed authority'
  )
}
