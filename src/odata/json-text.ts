import { Buffer } from 'node:buffer'

/** What a JSON string, UTF-8 read as Latin-1, means; empty when `raw` is no string. */
export function textOf(raw: string): string {
  return raw[0] === '"' ? (JSON.parse(Buffer.from(raw, 'latin1').toString()) as string) : ''
}

/** A JSON string of ASCII characters that means `text`. */
export function asciiString(text: string): string {
  return JSON.stringify(text).replace(/[^\x20-\x7e]/g, escaped)
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
