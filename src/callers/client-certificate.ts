import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/**
 * Finds the owner of a connection's certificate. It is read once for each connection.
 *
 * @param owners whose certificate has which SHA-256 fingerprint (64 small digits) or name (`CN=`, `DNS:`, `URI:`);
 * a name counts only when an authority that the gateway trusts has certified it
 */
export function certificateOwner<T>(
  owners: Iterable<readonly [certificate: string, owner: T]>,
): (socket: Socket) => T | undefined {
  const listed = new Map(owners)
  const known = new WeakMap<Socket, { readonly owner: T | undefined }>()
  return (socket) => {
    if (listed.size === 0 || !('getPeerCertificate' in socket)) return undefined
    const before = known.get(socket)
    if (before !== undefined) return before.owner
    const name = certificateNames(socket as TLSSocket).find((one) => listed.has(one))
    const owner = name === undefined ? undefined : listed.get(name)
    known.set(socket, { owner })
    return owner
  }
}

/**
 * The fingerprint of the peer's certificate while it is valid, and its names if they
 * are certified.
 */
function certificateNames(socket: TLSSocket): string[] {
  const certificate = socket.getPeerCertificate()
  // A certificate is proven by the handshake; without one Node returns an empty object.
  if (certificate?.fingerprint256 === undefined) return []
  const now = Date.now()
  if (!(Date.parse(certificate.valid_from) <= now && now <= Date.parse(certificate.valid_to))) return []
  const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase()
  if (!socket.authorized) return [fingerprint]
  const commonName: unknown = certificate.subject.CN
  // Several common names are ambiguous, so none counts.
  const names = typeof commonName === 'string' ? [`CN=${commonName}`] : []
  return [fingerprint, ...names, ...alternativeNames(certificate.subjectaltname ?? '')]
}

/**
 * The names of a certificate's `subjectAltName` as Node writes it, `DNS:a, URI:"b, c"`. A name with a comma is quoted,
 * so that it does not look like two (CVE-2021-44532); quoted ones stay so, and match nothing that can be listed.
 */
export function alternativeNames(written: string): string[] {
  return (written.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? []).map((name) => name.trim())
}
