/** A header of a part: its bytes as Latin-1, so that they go on as they came. */
export interface Field {
  readonly name: string
  readonly value: string
}

/**
 * The headers that `lines` hold; a line that begins with a blank goes on with the one before.
 *
 * @returns `undefined` when a line is no header, or holds control characters
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

/** The value of the header `name`, given in lower case; of several, the values with commas between. */
export function valueOf(fields: readonly Field[], name: string): string | undefined {
  const values = fields.filter((field) => field.name.toLowerCase() === name).map((field) => field.value)
  return values.length === 0 ? undefined : values.join(', ')
}

/** `fields` as they stand before a body, each line ended by CRLF. */
export function fieldLines(fields: readonly Field[]): string {
  return fields.map(({ name, value }) => `${name}: ${value}\r\n`).join('')
}

/** Without blanks and tabs at either end. `trim` would take bytes of UTF-8 as well, which are blanks in Latin-1. */
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
