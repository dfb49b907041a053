/** A header of a part, as Latin-1 text, so that its bytes are forwarded unchanged. */
export interface Field {
  readonly name: string
  readonly value: string
}

/**
 * The headers in `lines`. A line that starts with a blank continues the previous one.
 *
 * @returns `undefined` when a line is not a header, or contains control characters
 */
export function headerFields(lines: readonly string[]): readonly Field[] | undefined {
  const fields: Field[] = []
  for (let index = 0; index < lines.length; index++) {
    let line = lines[index]!
    if (isBlank(line[0])) return undefined
    const folded = [line]
    while (isBlank(lines[index + 1]?.[0])) folded.push(trimBlanks(lines[++index]!))
    if (folded.length > 1) line = folded.join(' ')
    if (CONTROL.test(line)) return undefined
    const colon = line.indexOf(':')
    const name = trimBlanks(line.slice(0, Math.max(colon, 0)))
    if (!TOKEN.test(name)) return undefined
    fields.push({ name, value: trimBlanks(line.slice(colon + 1)) })
  }
  return fields
}

/** The value of the header `name` (in lower case); several values are joined by commas. */
export function valueOf(fields: readonly Field[], name: string): string | undefined {
  const values = fields.filter((field) => field.name.toLowerCase() === name).map((field) => field.value)
  return values.length === 0 ? undefined : values.join(', ')
}

/** `fields` as header lines, each ended by CRLF. */
export function fieldLines(fields: readonly Field[]): string {
  return fields.map(({ name, value }) => `${name}: ${value}\r\n`).join('')
}

/** Removes blanks and tabs at both ends. `trim` would also remove UTF-8 bytes that are blanks in Latin-1. */
export function trimBlanks(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text[start])) start++
  while (end > start && isBlank(text[end - 1])) end--
  return text.slice(start, end)
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}

const CONTROL = /[^\t\x20-\x7e\x80-\xff]/
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/
