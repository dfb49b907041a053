import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

import { OwnError } from '../logging/own-error.ts'
import { PfxFault, readPfx } from './pfx/read-pfx.ts'

/** A certificate with its private key. */
export interface KeyPair {
  readonly key: KeyObject
  readonly certificate: X509Certificate
  /** The issuing certificates, nearest first. */
  readonly chain: readonly X509Certificate[]
}

/** The file cannot be used. The message has the reason and the fix, and nothing from the file. */
export class CertificateFault extends OwnError {
  readonly why: string
  readonly todo: string
  constructor(why: string, todo: string) {
    super(`${why} ${todo}`)
    this.why = why
    this.todo = todo
  }
}

/** The shortest key that Entra accepts, in bits. */
const MIN_KEY_BITS = 2048

/**
 * Reads a PEM file with certificate and private key (encrypted or not, in any order, with or without the chain),
 * or a PFX file.
 *
 * @throws {CertificateFault}
 */
export function readKeyPair(file: Buffer, password: string | undefined): KeyPair {
  const text = file.toString('latin1')
  const { keys, certificates } = /-----BEGIN [A-Z0-9 ]+-----/.test(text)
    ? readPem(text, password)
    : pfx(file, text, password)
  if (certificates.length === 0) {
    throw new CertificateFault('It holds no certificate.', 'Put the certificate and its private key into one file.')
  }
  if (keys.length === 0) {
    throw new CertificateFault('It holds no private key.', 'Put the certificate and its private key into one file.')
  }
  const key = keys.find((key) => certificates.some((certificate) => certificate.checkPrivateKey(key)))
  const certificate = certificates.find((certificate) => key !== undefined && certificate.checkPrivateKey(key))
  if (key === undefined || certificate === undefined) {
    throw new CertificateFault(
      'The private key belongs to another certificate.',
      'Put the key that the certificate was made with into the file.',
    )
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (key.asymmetricKeyType !== 'rsa' || bits < MIN_KEY_BITS) {
    const kind =
      key.asymmetricKeyType === 'rsa' ? `an RSA key of ${bits} bits` : `a key of type ${key.asymmetricKeyType}`
    throw new CertificateFault(
      `It holds ${kind}; Entra takes RSA keys of ${MIN_KEY_BITS} bits or more.`,
      'Make a new certificate.',
    )
  }
  return { key, certificate, chain: chainOf(certificate, certificates) }
}

function readPem(text: string, password: string | undefined): { keys: KeyObject[]; certificates: X509Certificate[] } {
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]+?-----END \1-----/g)].map(([block]) => block)
  const ofKind = (kind: RegExp): string[] => blocks.filter((block) => kind.test(block))
  return {
    keys: ofKind(/^-----BEGIN ([A-Z]+ )*PRIVATE KEY-----/).map((block) => privateKey(block, password)),
    certificates: ofKind(/^-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/).map(x509),
  }
}

function privateKey(pem: string, password: string | undefined): KeyObject {
  const encrypted = pem.includes('ENCRYPTED')
  if (encrypted && password === undefined) {
    throw new CertificateFault(
      'Its private key is encrypted.',
      "Set AZURE_CLIENT_CERTIFICATE_PASSWORD to the key's password.",
    )
  }
  try {
    return createPrivateKey({ key: pem, ...(password === undefined ? {} : { passphrase: password }) })
  } catch (error) {
    // Without the cause, which may quote the file.
    const { code = '' } = error as NodeJS.ErrnoException
    if (encrypted && code !== 'ERR_OSSL_UNSUPPORTED') {
      throw new CertificateFault(
        'Its private key cannot be decrypted.',
        'Set AZURE_CLIENT_CERTIFICATE_PASSWORD to the right password.',
      )
    }
    throw new CertificateFault('Its private key is damaged or of an unknown form.', 'Export it again in PKCS #8.')
  }
}

function pfx(file: Buffer, text: string, password = ''): { keys: KeyObject[]; certificates: X509Certificate[] } {
  try {
    // Azure Key Vault returns PFX files in base64.
    const bytes = /^[A-Za-z0-9+/=\s]+$/.test(text) ? Buffer.from(text, 'base64') : file
    const { keys, certificates } = readPfx(bytes, password)
    return {
      keys: keys.map((key) => createPrivateKey({ key, format: 'der', type: 'pkcs8' })),
      certificates: certificates.map(x509),
    }
  } catch (error) {
    if (error instanceof CertificateFault) throw error
    switch (error instanceof PfxFault ? error.reason : 'damaged') {
      case 'password':
        throw new CertificateFault(
          password === '' ? 'It is encrypted.' : 'The password does not fit.',
          'Set AZURE_CLIENT_CERTIFICATE_PASSWORD to its password.',
        )
      case 'algorithm':
        throw new CertificateFault(
          'Its encryption is not supported.',
          'Export it again with AES256, or convert it: openssl pkcs12 -legacy -in old.pfx -nodes -out new.pem',
        )
      case 'damaged':
        throw new CertificateFault(
          'It is neither PEM nor PFX, or damaged.',
          'Export the certificate with its private key again.',
        )
    }
  }
}

function x509(certificate: string | Buffer): X509Certificate {
  try {
    return new X509Certificate(certificate)
  } catch {
    throw new CertificateFault('A certificate in it is damaged.', 'Export it again.')
  }
}

function chainOf(leaf: X509Certificate, certificates: readonly X509Certificate[]): X509Certificate[] {
  const chain: X509Certificate[] = []
  for (let below = leaf; chain.length < certificates.length;) {
    const issuer = certificates.find(
      (other) => other !== below && !chain.includes(other) && other !== leaf && below.checkIssued(other),
    )
    if (issuer === undefined) break
    chain.push(issuer)
    below = issuer
  }
  return chain
}
