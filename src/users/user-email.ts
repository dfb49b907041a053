import { BadUserEmail } from '../errors.ts'
import { soleHeader } from './sole-header.ts'

/** The longest address in the users' table, in characters. */
const MAX_ADDRESS_LENGTH = 100

/**
 * The e-mail address in a request; `undefined` without the header.
 *
 * @param name the name of the header, in lower case
 * @throws BadUserEmail unless the header is sent once and has one address
 */
export function userEmail(rawHeaders: readonly string[], name: string): string | undefined {
  const found = soleHeader(rawHeaders, name, BadUserEmail)
  return found === undefined ? undefined : address(found, name)
}

function address(value: string, name: string): string {
  if (PLAIN_ADDRESS.test(value) && value.length <= MAX_ADDRESS_LENGTH) return value
  // Node reads header bytes as Latin-1. An address with other characters than ASCII is sent as UTF-8.
  const ascii = /^[\x20-\x7e]*$/.test(value)
  const text = ascii ? value.trim() : utf8(value, name).trim()
  if (text === '') throw new BadUserEmail(name, 'it is empty')
  if (text.length > MAX_ADDRESS_LENGTH) throw new BadUserEmail(name, 'it is too long')
  if (/[,;]/.test(text)) throw new BadUserEmail(name, 'it is a list')
  if (!(ascii ? ADDRESS_PATTERN : beyondAscii()).test(text)) throw new BadUserEmail(name, 'it is not an address')
  return text
}

function utf8(value: string, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(value, 'latin1'))
  } catch {
    throw new BadUserEmail(name, 'it is not UTF-8')
  }
}

/** Most addresses. A property test compares them with the complete check. */
const PLAIN_ADDRESS = /^[\w.+-]+@[\w.-]+$/

const ADDRESS_PATTERN = /^[^\s@<>()"\\]+@[^\s@<>()"\\]+$/

/** Created on first use: compiling the Unicode classes takes 20 ms. */
function beyondAscii(): RegExp {
  return /^[^\s@<>()"\\\p{Cc}\p{Cf}]+@[^\s@<>()"\\\p{Cc}\p{Cf}]+$/u
}
