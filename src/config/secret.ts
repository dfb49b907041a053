import { placeholderInSecret } from './placeholders.ts'
import { SettingError } from './setting.ts'
import type { Source } from './setting.ts'
import { textFileError } from './text-file.ts'
import { unquoted } from './unquoted.ts'

/** A secret. Its value is in a closure, so that no output of the settings shows it. */
export interface Secret {
  /** The current value. A file is read each time, so that a rotated secret is used. */
  readonly reveal: () => string
  /** Its source, for messages. */
  readonly source: string
  /** Its file, to be watched for changes. */
  readonly file?: string
  /** A warning that the value may be incomplete. */
  readonly doubt?: string
}

/** Reads `{ env: NAME }` or `{ file: path }`. Trailing white space is not part of a secret. */
export function readSecret(raw: unknown, from: Source): Secret {
  const { env, file, ...rest } = (typeof raw === 'object' && raw !== null ? raw : {}) as Record<string, unknown>
  if (Object.keys(rest).length > 0 || (typeof env === 'string') === (typeof file === 'string')) {
    throw new SettingError('must not be written here: write { env: NAME } or { file: path }.')
  }
  if (typeof file === 'string') {
    const reveal = (): string =>
      from
        .file(file)
        .replace(/^\uFEFF/, '')
        .trimEnd()
    const value = attempt(reveal)
    if (value === '') throw new SettingError('names a file that is empty: write the secret into it.')
    refuseLeftovers(value, 'names a file that holds')
    return { reveal, source: `file ${file}`, file }
  }
  const text = from.env[env as string] ?? ''
  const value = unquoted(text)
  if (value === '') {
    // A text that does not look like a variable's name may be the secret itself, in the wrong place.
    const named = /^[A-Z][A-Z0-9_]*$/.test(env as string)
    throw new SettingError(
      named
        ? `names the variable ${env as string}, which is not set.`
        : 'names a variable that is not set: write { env: NAME }.',
    )
  }
  refuseLeftovers(text, 'holds')
  const doubt = from.doubts?.get(env as string)
  return { reveal: () => value, source: `variable ${env as string}`, ...(doubt === undefined ? {} : { doubt }) }
}

function refuseLeftovers(value: string, holds: string): void {
  const left = placeholderInSecret(value)
  if (left !== undefined) throw new SettingError(`${holds} ${left}: write the secret itself.`)
}

function attempt(read: () => string): string {
  try {
    return read()
  } catch (error) {
    throw new SettingError(`names a file that ${textFileError(error)}`)
  }
}
