import { readFileSync } from 'node:fs'

import { rethrowUnless } from '../logging/rethrow-unless.ts'
import type { Secret } from './secret.ts'
import { readSecret } from './secret.ts'
import { SettingError } from './setting.ts'
import type { Setting } from './setting.ts'
import { unquoted } from './unquoted.ts'

/** The properties that every setting declares. */
interface SettingSpec {
  readonly description: string
  readonly env?: string
  readonly jsonSchema?: Setting<unknown>['jsonSchema']
  readonly restart?: true
}

/** A duration in milliseconds, written `1500ms`, `10s`, `5m` or `1h`. */
export function duration(is: SettingSpec & { fallback: string; minimum?: number }): Setting<number> {
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  const hint = 'a time such as 1500ms, 10s, 5m or 1h'
  return setting({ ...is, hint, jsonSchema: { type: 'string', pattern: '^[0-9]{1,9}(ms|s|m|h)$' } }, (raw) => {
    const [, number, unit] = /^(\d{1,9})(ms|s|m|h)$/.exec(text(raw, hint)) ?? []
    if (number === undefined) throw new SettingError(`is not a duration: write ${hint}.`)
    const milliseconds = Number(number) * units[unit!]!
    // The largest delay of a timer.
    if (milliseconds > 2_147_483_647) throw new SettingError('is too long: write at most 596h.')
    if (milliseconds < (is.minimum ?? 0)) throw new SettingError(`is too short: write at least ${is.minimum}ms.`)
    return milliseconds
  })
}

/** A number of bytes, written `500B`, `64KiB`, `128MiB` or `1GiB`. */
export function size(is: SettingSpec & { fallback: string }): Setting<number> {
  const units: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }
  const hint = 'a size such as 64KiB, 128MiB or 1GiB'
  return setting({ ...is, hint, jsonSchema: { type: 'string', pattern: '^[0-9]{1,9}(B|KiB|MiB|GiB)$' } }, (raw) => {
    const [, number, unit] = /^(\d{1,9})(B|KiB|MiB|GiB)$/.exec(text(raw, hint)) ?? []
    if (number === undefined) throw new SettingError(`is not a size: write ${hint}.`)
    return Number(number) * units[unit!]!
  })
}

/** An integer between `least` and `most`. */
export function wholeNumber(is: SettingSpec & { fallback: number; minimum: number; maximum: number }): Setting<number> {
  const hint = `a whole number from ${is.minimum} to ${is.maximum}`
  return setting({ ...is, hint, jsonSchema: { type: 'integer', minimum: is.minimum, maximum: is.maximum } }, (raw) => {
    const number =
      typeof raw === 'string' && /^\d{1,10}$/.test(unquoted(raw))
        ? Number(unquoted(raw))
        : typeof raw === 'number'
          ? raw
          : NaN
    if (!Number.isInteger(number) || number < is.minimum || number > is.maximum)
      throw new SettingError(`is not ${hint}.`)
    return number
  })
}

/** The same, optional. */
export function optionalNumber(is: SettingSpec & { minimum: number; maximum: number }): Setting<number | undefined> {
  const { fallback: _fallback, ...setting } = wholeNumber({ ...is, fallback: is.minimum })
  return setting
}

/** A boolean. */
export function flag(is: SettingSpec & { fallback: boolean }): Setting<boolean> {
  const hint = 'true or false'
  return setting({ ...is, hint, jsonSchema: { type: 'boolean' } }, (raw) => {
    const word = typeof raw === 'string' ? unquoted(raw).toLowerCase() : raw
    if (word === true || word === 'true' || word === '1') return true
    if (word === false || word === 'false' || word === '0') return false
    throw new SettingError(`is neither true nor false: write ${hint}.`)
  })
}

/** One of several words. */
export function choice<const W extends string>(is: SettingSpec & { fallback: W; words: readonly W[] }): Setting<W> {
  const hint = `one of ${is.words.join(', ')}`
  return setting({ ...is, hint, jsonSchema: { enum: is.words } }, (raw) => {
    const chosen = typeof raw === 'string' ? unquoted(raw).toLowerCase() : raw
    const word = is.words.find((word) => word.toLowerCase() === chosen)
    if (word === undefined) throw new SettingError(`is not known: write ${hint}.`)
    return word
  })
}

/** A text that `parse` accepts; `parse` throws a {@link SettingError} for any other. */
export function parsed<T>(
  is: (SettingSpec & { hint: string; required: true }) | (SettingSpec & { hint: string; fallback: unknown }),
  parse: (raw: string) => T,
): Setting<T> {
  return setting(is, (raw) => parse(text(raw, is.hint)))
}

/** An optional text that `parse` accepts. */
export function optional<T>(is: SettingSpec & { hint: string }, parse: (raw: string) => T): Setting<T | undefined> {
  return setting(is, (raw) => parse(text(raw, is.hint)))
}

/** A list of texts, separated by commas in an environment variable. */
export function list<T>(
  is: SettingSpec & { hint: string; fallback?: readonly string[]; required?: true },
  parse: (raw: string) => T,
): Setting<readonly T[]> {
  return setting(
    {
      ...is,
      ...(is.required ? {} : { fallback: is.fallback ?? [] }),
      jsonSchema: { type: 'array', items: { type: 'string' } },
    },
    (raw) => {
      const texts = typeof raw === 'string' ? raw.split(',') : raw
      if (!Array.isArray(texts)) throw new SettingError(`must be a list: write ${is.hint}.`)
      return parseEach(
        texts.map((one) => text(one, is.hint)).filter((one) => one !== ''),
        parse,
      )
    },
  )
}

/** Parses all of `texts`. Throws one {@link SettingError} with a sentence for each invalid one. */
function parseEach<T>(texts: readonly string[], parse: (raw: string) => T): T[] {
  const sentences = new Set<string>()
  const values = texts.flatMap((text) => {
    try {
      return [parse(text)]
    } catch (error) {
      rethrowUnless(error, SettingError)
      for (const sentence of error.sentences) sentences.add(sentence)
      return []
    }
  })
  if (sentences.size > 0) throw new SettingError(...sentences)
  return values
}

type SecretSpec = SettingSpec & { readonly env: string }

/** A secret: never in the file itself, but `{ env: NAME }` or `{ file: path }`. */
export function secret(is: SecretSpec & { required: true; hint?: string }): Setting<Secret>
export function secret(is: SecretSpec): Setting<Secret | undefined>
export function secret(is: SecretSpec): Setting<Secret | undefined> {
  const hint =
    `the value itself, or the path of a file that holds it in ${is.env}_FILE; ` +
    'in a settings file { env: NAME } or { file: path }'
  return { type: 'setting', hint, secret: true, ...is, jsonSchema: SECRET, read: readSecret }
}

const SECRET = {
  type: 'object',
  minProperties: 1,
  maxProperties: 1,
  additionalProperties: false,
  properties: { env: { type: 'string' }, file: { type: 'string' } },
}

/** `text` unchanged, if it matches `form`. */
export function matching(jsonSchema: RegExp, wrong: string): (text: string) => string {
  return (text) => {
    if (!jsonSchema.test(text)) throw new SettingError(wrong)
    return text
  }
}

/** The path of a readable file. */
export function readableFile(path: string): string {
  try {
    readFileSync(path)
  } catch (error) {
    throw new SettingError(
      `names a file that cannot be read (${(error as NodeJS.ErrnoException).code}): ` +
        'fix the path or its permissions.',
    )
  }
  return path
}

function setting<T>(
  is: SettingSpec & { hint: string; fallback?: unknown; required?: true },
  read: Setting<T>['read'],
): Setting<T> {
  const { description, hint, fallback, env, required, jsonSchema, restart } = is
  return {
    type: 'setting',
    description,
    hint,
    read,
    ...(fallback === undefined ? {} : { fallback }),
    ...(env === undefined ? {} : { env }),
    ...(required ? { required } : {}),
    ...(restart ? { restart } : {}),
    ...(jsonSchema === undefined ? {} : { jsonSchema }),
  }
}

function text(raw: unknown, hint: string): string {
  if (typeof raw === 'number') return String(raw)
  if (typeof raw !== 'string') throw new SettingError(`must be a text: write ${hint}.`)
  return unquoted(raw)
}
