import { readFileSync } from 'node:fs'

import t from 'tap'

import { CertificateFault, readKeyPair } from '../../src/credentials/certificate-file.ts'
import { element, elements } from '../../src/credentials/pfx/der.ts'

const PASSWORD = 'pässword'

function fixture(name: string): string {
  return new URL(`../../../test/credentials/certificates/${name}`, import.meta.url).pathname
}

const thumbprint = readKeyPair(readFileSync(fixture('plain.pem')), undefined).certificate.fingerprint256

t.test('reads PEM and PFX files with every supported encryption', async (t) => {
  for (const file of [
    'encrypted-pkcs8.pem',
    'encrypted-pkcs1.pem',
    'plain.pem',
    'aes.pfx',
    'aes-no-mac.pfx',
    'aes-sha512.pfx',
    'unencrypted.pfx',
    'aes-base64.txt',
    'rc2.pfx',
    '2des.pfx',
  ]) {
    t.equal(readKeyPair(readFileSync(fixture(file)), PASSWORD).certificate.fingerprint256, thumbprint, file)
  }
  for (const file of ['plain.pem', 'aes-empty.pfx', '3des-empty.pfx']) {
    t.equal(readKeyPair(readFileSync(fixture(file)), undefined).certificate.fingerprint256, thumbprint, file)
  }
})

t.test('finds the certificate of the key, and its chain', async (t) => {
  for (const file of ['chain.pem', '3des-chain.pfx']) {
    const { certificate, chain } = readKeyPair(readFileSync(fixture(file)), PASSWORD)
    t.match(certificate.subject, /gateway\.contoso\.example/, file)
    t.match(chain, [{ subject: /gateway test authority/ }], file)
  }
})

t.test('reports a damaged PFX file, wherever the damage is', async (t) => {
  for (const name of ['aes-no-mac.pfx', 'rc2.pfx', 'unencrypted.pfx']) {
    const file = withoutMac(readFileSync(fixture(name)))
    // ASN.1 headers with types and algorithms; between them are the key and the certificate.
    const heads = [...Array(170).keys(), ...Array.from({ length: 170 }, (_, index) => 900 + index)]
    for (const at of heads) {
      for (const byte of [0x00, 0x30, file[at]! ^ 0xff, file[at]! + 1]) {
        const damaged = Buffer.from(file)
        damaged[at] = byte
        const fault = faultOf(damaged, PASSWORD)
        if (fault !== undefined && !(fault instanceof CertificateFault)) t.fail(`${name} ${at}: ${String(fault)}`)
      }
    }
    t.match(faultOf(file.subarray(0, -1), PASSWORD), /neither PEM nor PFX, or damaged/, name)
  }
  t.match(faultOf(withoutMac(readFileSync(fixture('rc2.pfx'))), 'wrong'), /does not fit/)
})

/** The file without its message authentication code, which would detect the damage first. */
function withoutMac(pfx: Buffer): Buffer {
  const [version, content] = elements(element(pfx))
  const inside = Buffer.concat([version!.encoded, content!.encoded])
  const head = Buffer.from([0x30, 0x82, 0, 0])
  head.writeUInt16BE(inside.length, 2)
  return Buffer.concat([head, inside])
}

function faultOf(file: Buffer, password: string): unknown {
  try {
    readKeyPair(file, password)
    return undefined
  } catch (error) {
    return error
  }
}

t.test('reports what is wrong with a file, and the fix', async (t) => {
  const wrong: [file: string, password: string | undefined, sentence: RegExp][] = [
    ['encrypted-pkcs8.pem', undefined, /is encrypted\. Set AZURE_CLIENT_CERTIFICATE_PASSWORD/],
    ['encrypted-pkcs8.pem', 'wrong', /cannot be decrypted\. Set AZURE_CLIENT_CERTIFICATE_PASSWORD/],
    ['encrypted-pkcs1.pem', 'wrong', /cannot be decrypted\. Set AZURE_CLIENT_CERTIFICATE_PASSWORD/],
    ['aes.pfx', undefined, /is encrypted\. Set AZURE_CLIENT_CERTIFICATE_PASSWORD/],
    ['aes.pfx', 'wrong', /does not fit/],
    ['3des-chain.pfx', 'wrong', /does not fit/],
    ['aes-no-mac.pfx', 'wrong', /does not fit|damaged/],
    ['rc2.pfx', 'wrong', /does not fit/],
    ['no-key.pfx', PASSWORD, /no private key/],
    ['mismatch.pem', undefined, /belongs to another certificate/],
    ['ec.pem', undefined, /type ec; Entra takes RSA/],
    ['short.pem', undefined, /1024 bits; Entra takes RSA keys of 2048/],
    ['README.md', undefined, /neither PEM nor PFX/],
  ]
  for (const [file, password, sentence] of wrong) {
    t.throws(() => readKeyPair(readFileSync(fixture(file)), password), sentence, `${file} ${password}`)
  }
  const pem = readFileSync(fixture('plain.pem'), 'utf8')
  const [certificate, key] = [
    pem.slice(0, pem.indexOf('-----BEGIN PRIVATE')),
    pem.slice(pem.indexOf('-----BEGIN PRIVATE')),
  ]
  t.throws(() => readKeyPair(Buffer.from(certificate), undefined), /no private key/)
  t.throws(() => readKeyPair(Buffer.from(key), undefined), /no certificate/)
  t.throws(() => readKeyPair(Buffer.from(certificate.replace(/\n[A-Za-z0-9+/]{40}/, '\n') + key), undefined), /damaged/)
  t.throws(
    () => readKeyPair(Buffer.from(certificate + key.replace(/\n[A-Za-z0-9+/]{40}/, '\n')), undefined),
    /damaged or of an unknown form/,
  )
})

t.test('a truncated or altered PFX file is an error, never a crash or an endless loop', async (t) => {
  const file = readFileSync(fixture('aes.pfx'))
  for (let length = 0; length < file.length; length += 97) {
    t.throws(() => readKeyPair(file.subarray(0, length), PASSWORD), /neither PEM nor PFX/)
  }
  for (let at = 0; at < 200; at++) {
    const altered = Buffer.from(file)
    altered[at]! ^= 0x55
    try {
      readKeyPair(altered, PASSWORD)
    } catch (error) {
      t.type(error, CertificateFault, `byte ${at}`)
    }
  }
})

t.test('reads PFX files in BER, as some libraries write them: lengths left out, bytes in pieces', async (t) => {
  t.equal(readKeyPair(toBer(readFileSync(fixture('aes.pfx'))), PASSWORD).certificate.fingerprint256, thumbprint)
})

/** The outer sequence and its content, with indefinite lengths. */
function toBer(der: Buffer): Buffer {
  const end = Buffer.from([0, 0])
  const children = (bytes: Buffer): Buffer[] => {
    const found: Buffer[] = []
    for (let at = 0; at < bytes.length;) {
      const { start, length } = sizeAt(bytes, at)
      found.push(bytes.subarray(at, start + length))
      at = start + length
    }
    return found
  }
  const inside = (element: Buffer): Buffer => element.subarray(sizeAt(element, 0).start)
  const [version, contentInfo, mac] = children(inside(der))
  const [type, explicit] = children(inside(contentInfo!))
  const data = inside(inside(explicit!))
  const half = Math.floor(data.length / 2)
  const piece = (bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from([0x04, 0x82, bytes.length >> 8, bytes.length & 0xff]), bytes])
  const octets = Buffer.concat([
    Buffer.from([0x24, 0x80]),
    piece(data.subarray(0, half)),
    piece(data.subarray(half)),
    end,
  ])
  const content = Buffer.concat([Buffer.from([0x30, 0x80]), type!, Buffer.from([0xa0, 0x80]), octets, end, end])
  return Buffer.concat([Buffer.from([0x30, 0x80]), version!, content, mac!, end])
}

function sizeAt(bytes: Buffer, at: number): { start: number; length: number } {
  const first = bytes[at + 1]!
  return first < 0x80
    ? { start: at + 2, length: first }
    : { start: at + 2 + (first & 0x7f), length: bytes.readUIntBE(at + 2, first & 0x7f) }
}
