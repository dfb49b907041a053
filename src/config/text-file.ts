import { readFileSync } from 'node:fs'

/**
 * Reads a text file in UTF-8, with or without a byte order mark.
 *
 * @throws an error with the system's code, or with {@link WRONG_ENCODING}
 */
export function readText(path: string): string {
  const text = decoded(readFileSync(path))
  // UTF-16 without a byte order mark is valid UTF-8 with a NUL for every other byte.
  if (text === undefined || text.includes('\0')) throw Object.assign(new Error('not UTF-8'), { code: WRONG_ENCODING })
  return text
}

/** Why {@link readText} could not read a file, as the rest of a sentence after its name. */
export function textFileError(error: unknown): string {
  const { code = 'unreadable' } = error as NodeJS.ErrnoException
  return code === WRONG_ENCODING
    ? 'is not written in UTF-8 (PowerShell and some editors write UTF-16): save it as UTF-8.'
    : `cannot be read (${code}): fix the path or its permissions.`
}

const WRONG_ENCODING = 'ENOTUTF8'

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}
