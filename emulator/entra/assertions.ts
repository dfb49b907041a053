import { constants, createHash, createPublicKey, type KeyObject, verify, X509Certificate } from 'node:crypto'

import { clientId } from '../registration.ts'
import { EntraError } from './aadsts.ts'

/** An issuer outside Entra whose tokens prove the application: a Kubernetes cluster, a CI service. */
export interface FederatedIssuer {
  readonly issuer: string
  readonly subject: string
  readonly publicKeyPem: string
  /** Default `api://AzureADTokenExchange`. */
  readonly audience?: string
}

/** The keys that may sign assertions of the application. */
export interface AssertionKeys {
  registerCertificate(pem: string): void
  registerFederatedIssuer(issuer: FederatedIssuer): void
  /** Throws the error of Entra for an invalid assertion. `endpoint` is the URL of the token endpoint. */
  check(assertion: string, endpoint: readonly string[]): void
}

interface Certificate {
  readonly key: KeyObject
  readonly sha1: string
  readonly sha256: string
}

/** An empty set of keys. `clock` returns milliseconds. */
export function createAssertionKeys(clock: () => number): AssertionKeys {
  const certificates: Certificate[] = []
  const issuers: FederatedIssuer[] = []

  return {
    registerCertificate(pem) {
      const { raw, publicKey } = new X509Certificate(pem)
      const thumbprint = (hash: string): string => createHash(hash).update(raw).digest('base64url')
      certificates.push({ key: publicKey, sha1: thumbprint('sha1'), sha256: thumbprint('sha256') })
    },
    registerFederatedIssuer: (issuer) => void issuers.push(issuer),
    check(assertion, endpoints) {
      const { header, claims } = decoded(assertion)
      if (claims['iss'] === clientId) checkOwn(assertion, header, claims, endpoints, certificates)
      else checkFederated(assertion, header, claims, issuers)
      checkTime(claims, clock() / 1000)
    },
  }
}

type Claims = Readonly<Record<string, unknown>>

function checkOwn(
  assertion: string,
  header: Claims,
  claims: Claims,
  endpoints: readonly string[],
  certificates: readonly Certificate[],
): void {
  if (claims['sub'] !== clientId) throw new EntraError(700021)
  const certificate = certificates.find(({ sha1, sha256 }) =>
    header['x5t#S256'] === undefined ? header['x5t'] === sha1 : header['x5t#S256'] === sha256,
  )
  if (certificate === undefined || !holds(assertion, header['alg'], certificate.key)) {
    const named = Buffer.from(String(header['x5t#S256'] ?? header['x5t'] ?? ''), 'base64url')
    throw new EntraError(700027, { thumbprint: named.toString('hex').toUpperCase() })
  }
  if (!endpoints.includes(String(claims['aud']))) throw new EntraError(700023)
}

function checkFederated(assertion: string, header: Claims, claims: Claims, issuers: readonly FederatedIssuer[]): void {
  const issuer = issuers.find((each) => each.issuer === claims['iss'])
  if (issuer === undefined) throw new EntraError(70021)
  const audience = claims['aud']
  const wanted = issuer.audience ?? 'api://AzureADTokenExchange'
  if (issuer.subject !== claims['sub']) throw new EntraError(700213)
  if (audience !== wanted && !(Array.isArray(audience) && audience.includes(wanted))) throw new EntraError(700213)
  if (!holds(assertion, header['alg'], createPublicKey(issuer.publicKeyPem))) throw new EntraError(50013)
}

function checkTime(claims: Claims, now: number): void {
  // Entra allows a clock skew of five minutes.
  const leeway = 300
  const [from, to] = [Number(claims['nbf'] ?? claims['iat'] ?? 0), Number(claims['exp'])]
  if (!(to > now - leeway) || from > now + leeway) throw new EntraError(700024)
}

function holds(assertion: string, algorithm: unknown, key: KeyObject): boolean {
  const cut = assertion.lastIndexOf('.')
  const [data, signature] = [Buffer.from(assertion.slice(0, cut)), Buffer.from(assertion.slice(cut + 1), 'base64url')]
  switch (algorithm) {
    case 'RS256':
      return verify('sha256', data, key, signature)
    case 'PS256':
      return verify(
        'sha256',
        data,
        {
          key,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
        },
        signature,
      )
    case 'ES256':
      return verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature)
    default:
      return false
  }
}

function decoded(assertion: string): { readonly header: Claims; readonly claims: Claims } {
  try {
    const [header = '', claims = ''] = assertion.split('.')
    const parse = (part: string): Claims => JSON.parse(Buffer.from(part, 'base64url').toString()) as Claims
    return { header: parse(header), claims: parse(claims) }
  } catch {
    throw new EntraError(50027)
  }
}
