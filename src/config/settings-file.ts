import { LineCounter, parseDocument } from 'yaml'
import type { Document } from 'yaml'

import { isJsonObject } from '../odata/json-object.ts'
import { readText, textFileError } from './text-file.ts'

/**
 * The path of the settings file: the option `--config`, otherwise `GATEWAY_CONFIG`; `undefined`: there is none.
 *
 * @param env the variables that are not empty
 */
export function settingsPath(env: NodeJS.Dict<string>, file: string | undefined): string | undefined {
  return file ?? env['GATEWAY_CONFIG']
}

/** Reads a settings file in JSON or YAML (a superset of JSON). Adds its errors to `errors`. */
export function readSettingsFile(path: string, errors: string[]): object | undefined {
  const text = textOf(path, errors)
  if (text === undefined) return undefined
  const counter = new LineCounter()
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, logLevel: 'error' })
  // The parser only warns of an unresolved tag (`!env NAME`), but its value is wrong.
  for (const {
    message,
    pos: [at],
  } of [...document.errors, ...document.warnings]) {
    const { line, col } = counter.linePos(at)
    errors.push(
      `${path} is neither JSON nor YAML (line ${line}, column ${col}): fix it there. ` +
        `The parser says: ${withoutSource(message)}.`,
    )
  }
  return document.errors.length > 0 ? undefined : valueOf(document, path, errors)
}

function textOf(path: string, errors: string[]): string | undefined {
  try {
    return readText(path)
  } catch (error) {
    errors.push(`${path} ${textFileError(error)}`)
    return undefined
  }
}

function valueOf(document: Document, path: string, errors: string[]): object | undefined {
  try {
    const read: unknown = document.toJS() ?? {}
    if (isJsonObject(read)) return read
    errors.push(`${path} holds no named settings: write them as \`name: value\`, beginning with \`targets:\`.`)
  } catch (error) {
    // An alias (`*name`) without an anchor, or too many of them.
    const says = withoutSource((error as Error).message)
    errors.push(
      `${path} is neither JSON nor YAML: fix it. The parser says: ${says}; ` +
        'put a value that begins with * or & into quotes.',
    )
  }
  return undefined
}

/** The parser's message without the lines of the file that it quotes, which may be secrets. */
function withoutSource(message: string): string {
  return message
    .replace(/(?<=\S):\s[\s\S]*$/, '')
    .replace(/(escape sequence|directive) .*$/s, '$1')
    .replace(/\.$/, '')
}
