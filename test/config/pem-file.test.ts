import { X509Certificate } from 'node:crypto'

import { generate } from 'selfsigned'
import t from 'tap'

import { certificatesFile, readCertificates, readPrivateKey } from '../../src/config/pem-file.ts'

t.test('a file of certificates may contain other text, and each defect is an error', async (t) => {
  const { cert } = await generate([{ name: 'commonName', value: 'ca' }])
  const der = new X509Certificate(cert).raw
  const folder = t.testdir({
    one: cert,
    two: Buffer.from(`\ufeffAutorit\xe9\r\n${cert.replaceAll('\n', '\r\n')}more\n${cert}`, 'latin1'),
    der,
    utf16: Buffer.from(cert, 'utf16le'),
    text: 'MARKER',
    empty: '',
    key: '-----BEGIN PRIVATE KEY-----\nMARKER\n-----END PRIVATE KEY-----\n',
    cut: cert.slice(0, 200),
    damaged: `${cert}-----BEGIN CERTIFICATE-----\nMARKER\n-----END CERTIFICATE-----\n`,
  })
  for (const file of ['one', 'two']) t.equal(certificatesFile(`${folder}/${file}`), `${folder}/${file}`)
  for (const [file, fault] of [
    ['der', /in DER: write it in PEM/],
    ['utf16', /without a certificate: write one in PEM .* in UTF-8/],
    ['text', /without a certificate/],
    ['empty', /without a certificate/],
    ['key', /without a certificate/],
    ['cut', /damaged certificate/],
    ['damaged', /damaged certificate/],
    ['none', /cannot be read \(ENOENT\)/],
  ] as const) {
    t.throws(() => readCertificates(`${folder}/${file}`), { message: fault }, file)
  }
})

t.test('a private key must not be encrypted', async (t) => {
  const { private: key } = await generate([{ name: 'commonName', value: 'client' }], { keyType: 'ec' })
  const folder = t.testdir({
    key,
    old: '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n',
    encrypted: '-----BEGIN ENCRYPTED PRIVATE KEY-----\n',
    damaged: key.replace(/\n[\w+/]{20}/, '\n'),
    text: 'MARKER',
  })
  t.equal(readPrivateKey(`${folder}/key`), key)
  for (const [file, fault] of [
    ['old', /private key with a password: write it without/],
    ['encrypted', /private key with a password: write it without/],
    ['damaged', /damaged private key/],
    ['text', /without a private key/],
    ['none', /cannot be read \(ENOENT\)/],
  ] as const) {
    t.throws(() => readPrivateKey(`${folder}/${file}`), { message: fault }, file)
  }
})
