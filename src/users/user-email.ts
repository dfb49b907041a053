import { BadUserEmail } from '../errors.ts'
import { soleHeader } from './sole-header.ts'

/** Longest address that the column of the users' table takes. */
const LONGEST = 100

/**
 * The e-mail address that a request carries, or `undefined` when it has no such header.
 *
 * @param name of the header, in lower case
 * @throws BadUserEmail unless the header stands there once and holds one address
 */
export function userEmail(rawHeaders: readonly string[], name: string): string | undefined {
  const found = soleHeader(rawHeaders, name, (what) => new BadUserEmail(name, what))
  return found === undefined ? undefined : address(found, name)
}

function address(value: string, name: string): string {
  // Node reads header bytes as latin1; an address beyond ASCII was sent as UTF-8.
  const ascii = /^[\x20-\x7e]*$/.test(value)
  const text = ascii ? value.trim() : utf8(value, name).trim()
  if (text === '') throw new BadUserEmail(name, 'it is empty')
  if (text.length > LONGEST) throw new BadUserEmail(name, 'it is too long')
  if (/[,;]/.test(text)) throw new BadUserEmail(name, 'it is a list')
  if (!(ascii ? ADDRESS : beyondAscii()).test(text)) throw new BadUserEmail(name, 'it is not an address')
  return text
}

function utf8(value: string, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(value, 'latin1'))
  } catch {
    throw new BadUserEmail(name, 'it is not UTF-8')
  }
}

const ADDRESS = /^[^\s@<>()"\\]+@[^\s@<>()"\\]+$/

/** Made when it is needed: Unicode's classes take 20 ms. */
function beyondAscii(): RegExp {
  return /^[^\s@<>()"\\\p{Cc}\p{Cf}]+@[^\s@<>()"\\\p{Cc}\p{Cf}]+$/u
}
