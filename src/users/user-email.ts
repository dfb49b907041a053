import { BadUserEmail } from '../errors.ts'

/** Longest address that the column of the users' table takes. */
const LONGEST = 100

/**
 * The e-mail address that a request carries, or `undefined` when it has no such header.
 *
 * Read from the raw headers, because Node joins a repeated header to one text, and because nothing that a
 * `Connection` header names may take it away.
 *
 * @param name of the header, in lower case
 * @throws BadUserEmail unless the header stands there once and holds one address
 */
export function userEmail(rawHeaders: readonly string[], name: string): string | undefined {
  let found: string | undefined
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const candidate = rawHeaders[index]!
    if (candidate.length !== name.length || candidate.toLowerCase().replaceAll('_', '-') !== name) continue
    if (candidate.includes('_')) throw new BadUserEmail(name, 'its name must be written with dashes')
    if (found !== undefined) throw new BadUserEmail(name, 'it is sent more than once')
    found = rawHeaders[index + 1]!
  }
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
