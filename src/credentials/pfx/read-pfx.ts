import { createDecipheriv, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto'

import { OwnError } from '../../logging/own-error.ts'
import { element, elements, identifier, integer, NotAsn1, octets, sequence } from './der.ts'
import type { Element } from './der.ts'
import { deriveKey, passwordBytes, PURPOSE } from './pkcs12-key.ts'
import { decryptRc2 } from './rc2.ts'

/**
 * The content of a PFX (PKCS #12) file: keys in PKCS #8 and certificates, in DER.
 *
 * @until Node reads keys from PKCS #12
 */
export interface PfxContents {
  readonly keys: readonly Buffer[]
  readonly certificates: readonly Buffer[]
}

/** The file cannot be read; `reason` says why. */
export class PfxFault extends OwnError {
  readonly reason: 'damaged' | 'password' | 'algorithm'
  constructor(reason: PfxFault['reason']) {
    super(`PFX: ${reason}`)
    this.reason = reason
  }
}

const RC2 = 'rc2'

// Object identifiers, in their encoding.
const DATA = '2a864886f70d010701'
const ENCRYPTED_DATA = '2a864886f70d010706'
const BAG = '2a864886f70d010c0a01'
const X509 = '2a864886f70d01091601'
const PBES2 = '2a864886f70d01050d'
const PBKDF2 = '2a864886f70d01050c'
/** Ciphers with a key derived by SHA-1, and their key length in bytes. */
const SHA1_CIPHERS: Readonly<Record<string, readonly [name: string, keySize: number]>> = {
  '2a864886f70d010c0103': ['des-ede3-cbc', 24],
  '2a864886f70d010c0104': ['des-ede3-cbc', 16],
  '2a864886f70d010c0105': [RC2, 16],
  '2a864886f70d010c0106': [RC2, 5],
}
const HASHES: Readonly<Record<string, string>> = {
  '2b0e03021a': 'sha1',
  '608648016503040201': 'sha256',
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
  '608648016503040204': 'sha224',
}
const HMACS: Readonly<Record<string, string>> = {
  '2a864886f70d0207': 'sha1',
  '2a864886f70d0208': 'sha224',
  '2a864886f70d0209': 'sha256',
  '2a864886f70d020a': 'sha384',
  '2a864886f70d020b': 'sha512',
}
const CIPHERS: Readonly<Record<string, readonly [name: string, keySize: number]>> = {
  '60864801650304012a': ['aes-256-cbc', 32],
  '608648016503040116': ['aes-192-cbc', 24],
  '608648016503040102': ['aes-128-cbc', 16],
  '2a864886f70d0307': ['des-ede3-cbc', 24],
}

/** Higher iteration counts add no protection and would block the gateway. */
const MAX_ITERATIONS = 10_000_000

/**
 * Reads a PFX file encrypted with AES, 3DES or RC2, because Node.js can use one for TLS but does not return its
 * key. All cryptography except RC2 is Node's.
 *
 * @throws {PfxFault}
 * @see https://www.rfc-editor.org/rfc/rfc7292
 */
export function readPfx(file: Buffer, password: string): PfxContents {
  try {
    const [, authSafe, mac] = sequence(element(file), 2)
    const safe = octets(inContext(sequence(authSafe, 2)[1]))
    // An empty password has two encodings: no bytes, or only the terminating zero.
    const forms = password === '' ? [passwordBytes(''), Buffer.alloc(0)] : [passwordBytes(password)]
    const fitting = mac === undefined ? forms[0] : forms.find((form) => macFits(mac, safe, form))
    if (fitting === undefined) throw new PfxFault('password')
    const bags = sequence(element(safe), 0).flatMap((info) => bagsOf(info, password, fitting))
    return {
      keys: bags.flatMap((bag) => keyIn(bag, password, fitting)),
      certificates: bags.flatMap(certificateIn),
    }
  } catch (error) {
    throw error instanceof NotAsn1 ? new PfxFault('damaged') : error
  }
}

function macFits(mac: Element, data: Buffer, password: Buffer): boolean {
  const [digestInfo, salt, iterations] = sequence(mac, 2)
  const [algorithm, digest] = sequence(digestInfo, 2)
  const hash = known(HASHES[identifier(sequence(algorithm, 1)[0])])
  const expected = octets(digest)
  const key = deriveKey(password, {
    hash,
    purpose: PURPOSE.mac,
    salt: octets(salt),
    iterations: iterations === undefined ? 1 : bounded(integer(iterations)),
    size: expected.length,
  })
  const actual = createHmac(hash, key).update(data).digest()
  return actual.length === expected.length && timingSafeEqual(actual, expected)
}

/** The bags in one part of the file, which may be encrypted. */
function bagsOf(contentInfo: Element, password: string, bytes: Buffer): Element[] {
  const [type, content] = sequence(contentInfo, 2)
  switch (identifier(type)) {
    case DATA:
      return sequence(element(octets(inContext(content))), 0)
    case ENCRYPTED_DATA: {
      const [, algorithm, encrypted] = sequence(sequence(inContext(content), 2)[1], 3)
      return sequence(element(decrypt(algorithm!, octets(encrypted, 0x80), password, bytes)), 0)
    }
    default:
      throw new PfxFault('algorithm')
  }
}

function keyIn(bag: Element, password: string, bytes: Buffer): Buffer[] {
  const [type, value] = sequence(bag, 2)
  switch (identifier(type)) {
    case `${BAG}01`:
      return [inContext(value).encoded]
    case `${BAG}02`: {
      const [algorithm, encrypted] = sequence(inContext(value), 2)
      return [element(decrypt(algorithm!, octets(encrypted), password, bytes)).encoded]
    }
    default:
      return []
  }
}

function certificateIn(bag: Element): Buffer[] {
  const [type, value] = sequence(bag, 2)
  if (identifier(type) !== `${BAG}03`) return []
  const [format, certificate] = sequence(inContext(value), 2)
  return identifier(format) === X509 ? [octets(inContext(certificate))] : []
}

function decrypt(algorithm: Element, encrypted: Buffer, password: string, bytes: Buffer): Buffer {
  const { cipher, key, iv } = keyFor(algorithm, password, bytes)
  if (cipher === RC2) return unpadded(decryptRc2(encrypted, key, iv))
  try {
    const decipher = createDecipheriv(cipher, key, iv)
    return Buffer.concat([decipher.update(encrypted), decipher.final()])
  } catch {
    throw new PfxFault('password')
  }
}

function unpadded(plain: Buffer): Buffer {
  const padding = plain.at(-1)!
  if (!(padding >= 1 && padding <= 8) || !plain.subarray(-padding).every((byte) => byte === padding)) {
    throw new PfxFault('password')
  }
  return plain.subarray(0, -padding)
}

function keyFor(algorithm: Element, password: string, bytes: Buffer): { cipher: string; key: Buffer; iv: Buffer } {
  const [scheme, parameters] = sequence(algorithm, 2)
  const oid = identifier(scheme)
  const sha1 = SHA1_CIPHERS[oid]
  if (sha1 !== undefined) {
    const [cipher, size] = sha1
    const [salt, count] = sequence(parameters, 2)
    const derive = (purpose: number, size: number): Buffer =>
      deriveKey(bytes, { hash: 'sha1', purpose, salt: octets(salt), iterations: bounded(integer(count)), size })
    const key = derive(PURPOSE.key, size)
    // Two-key 3DES uses the first key again as the third.
    const fullKey = cipher !== RC2 && size === 16 ? Buffer.concat([key, key.subarray(0, 8)]) : key
    return { cipher, key: fullKey, iv: derive(PURPOSE.iv, 8) }
  }
  if (oid !== PBES2) throw new PfxFault('algorithm')
  const [derivation, encryption] = sequence(parameters, 2)
  const [function_, kdf] = sequence(derivation, 2)
  const [cipherId, iv] = sequence(encryption, 2)
  if (identifier(function_) !== PBKDF2) throw new PfxFault('algorithm')
  const [salt, count, ...rest] = sequence(kdf, 2)
  const prf = rest.find(({ tag }) => tag === 0x30)
  const hash = prf === undefined ? 'sha1' : known(HMACS[identifier(elements(prf)[0])])
  const [cipher, size] = known(CIPHERS[identifier(cipherId)])
  return { cipher, key: pbkdf2Sync(password, octets(salt), bounded(integer(count)), size, hash), iv: octets(iv) }
}

/** The element inside the explicit context tag 0. */
function inContext(one: Element | undefined): Element {
  if (one?.tag !== 0xa0) throw new NotAsn1()
  return element(one.content)
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new PfxFault('algorithm')
  return value
}

function bounded(iterations: number): number {
  if (iterations < 1 || iterations > MAX_ITERATIONS) throw new PfxFault('algorithm')
  return iterations
}
