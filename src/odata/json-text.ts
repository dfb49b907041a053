import { Buffer } from 'node:buffer'

/** The value of a JSON string in UTF-8 that was read as Latin-1; empty when `raw` is not a string. */
export function stringValue(raw: string): string {
  return raw[0] === '"' ? (JSON.parse(Buffer.from(raw, 'latin1').toString()) as string) : ''
}

/** `text` as a JSON string of ASCII characters. */
export function asciiString(text: string): string {
  return JSON.stringify(text).replace(/[^\x20-\x7e]/g, escaped)
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
