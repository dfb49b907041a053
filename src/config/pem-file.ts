import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'

import { SettingError } from './setting.ts'
import { textFileError } from './text-file.ts'

// Files in PEM that settings name. Each function throws a SettingError, which holds nothing of the file.

/** The path of a file that holds certificates in PEM, and nothing that cannot be read. */
export function certificatesFile(path: string): string {
  readCertificates(path)
  return path
}

/** The text of such a file. Node itself ignores what it cannot read of one. */
export function readCertificates(path: string): string {
  const text = textOf(path)
  const begun = text.match(/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/g)?.length ?? 0
  if (begun === 0) {
    throw new SettingError(
      isCertificate(Buffer.from(text, 'latin1'))
        ? 'names a file in DER: write it in PEM, such as with openssl x509 -inform der -in FILE -out FILE.pem.'
        : 'names a file without a certificate: write one in PEM (-----BEGIN CERTIFICATE-----), in UTF-8.',
    )
  }
  const complete = text.match(CERTIFICATE) ?? []
  if (complete.length < begun || !complete.every(isCertificate)) {
    throw new SettingError('names a file with a damaged certificate: export it again, in PEM.')
  }
  return text
}

/** The text of a file with a private key in PEM that needs no password. */
export function readPrivateKey(path: string): string {
  const text = textOf(path)
  const [, kind] = /-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----/.exec(text) ?? []
  if (kind === undefined) {
    throw new SettingError(
      'names a file without a private key: write one in PEM (-----BEGIN PRIVATE KEY-----), in UTF-8.',
    )
  }
  if (kind.startsWith('ENCRYPTED') || /^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw new SettingError(
      'names a private key with a password: write it without, such as with openssl pkey -in FILE -out FILE.pem.',
    )
  }
  try {
    createPrivateKey(text)
  } catch {
    throw new SettingError('names a damaged private key, or one of an unknown form: export it again in PKCS #8.')
  }
  return text
}

/** Whether a certificate, the first of its file, was made for a key, both in PEM. */
export function belongTogether(certificate: string, key: string): boolean {
  return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
}

const CERTIFICATE = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[\s\S]+?-----END \1-----/g

function isCertificate(text: string | Buffer): boolean {
  try {
    return new X509Certificate(text).raw.length > 0
  } catch {
    return false
  }
}

/** In Latin-1: comments between the certificates may be in any encoding. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    throw new SettingError(`names a file that ${textFileError(error)}`)
  }
}
