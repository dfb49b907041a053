import { readFileSync } from 'node:fs'

import type { Secret } from './secret.ts'
import { readSecret } from './secret.ts'
import { Fault } from './setting.ts'
import type { Setting } from './setting.ts'
import { unquoted } from './unquoted.ts'

/** What every setting says of itself. */
interface About {
  readonly about: string
  readonly env?: string
  readonly form?: Setting<unknown>['form']
  readonly restart?: true
}

/** A length of time in milliseconds, written `1500ms`, `10s`, `5m` or `1h`. */
export function duration(is: About & { fallback: string; least?: number }): Setting<number> {
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  const write = 'a time such as 1500ms, 10s, 5m or 1h'
  return setting({ ...is, write, form: { type: 'string', pattern: '^[0-9]{1,9}(ms|s|m|h)$' } }, (written) => {
    const [, number, unit] = /^(\d{1,9})(ms|s|m|h)$/.exec(text(written, write)) ?? []
    if (number === undefined) throw new Fault(`is no length of time: write ${write}.`)
    const milliseconds = Number(number) * units[unit!]!
    // The largest delay that a timer takes.
    if (milliseconds > 2_147_483_647) throw new Fault('is too long: write at most 596h.')
    if (milliseconds < (is.least ?? 0)) throw new Fault(`is too short: write at least ${is.least}ms.`)
    return milliseconds
  })
}

/** A number of bytes, written `500B`, `64KiB`, `128MiB` or `1GiB`. */
export function size(is: About & { fallback: string }): Setting<number> {
  const units: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }
  const write = 'a size such as 64KiB, 128MiB or 1GiB'
  return setting({ ...is, write, form: { type: 'string', pattern: '^[0-9]{1,9}(B|KiB|MiB|GiB)$' } }, (written) => {
    const [, number, unit] = /^(\d{1,9})(B|KiB|MiB|GiB)$/.exec(text(written, write)) ?? []
    if (number === undefined) throw new Fault(`is no size: write ${write}.`)
    return Number(number) * units[unit!]!
  })
}

/** A whole number between `least` and `most`. */
export function wholeNumber(is: About & { fallback: number; least: number; most: number }): Setting<number> {
  const write = `a whole number from ${is.least} to ${is.most}`
  return setting({ ...is, write, form: { type: 'integer', minimum: is.least, maximum: is.most } }, (written) => {
    const number =
      typeof written === 'string' && /^\d{1,10}$/.test(unquoted(written))
        ? Number(unquoted(written))
        : typeof written === 'number'
          ? written
          : NaN
    if (!Number.isInteger(number) || number < is.least || number > is.most) throw new Fault(`is not ${write}.`)
    return number
  })
}

/** Yes or no. */
export function flag(is: About & { fallback: boolean }): Setting<boolean> {
  const write = 'true or false'
  return setting({ ...is, write, form: { type: 'boolean' } }, (written) => {
    const word = typeof written === 'string' ? unquoted(written).toLowerCase() : written
    if (word === true || word === 'true' || word === '1') return true
    if (word === false || word === 'false' || word === '0') return false
    throw new Fault(`is neither true nor false: write ${write}.`)
  })
}

/** One of a few words. */
export function choice<const W extends string>(is: About & { fallback: W; words: readonly W[] }): Setting<W> {
  const write = `one of ${is.words.join(', ')}`
  return setting({ ...is, write, form: { enum: is.words } }, (written) => {
    const chosen = typeof written === 'string' ? unquoted(written).toLowerCase() : written
    const word = is.words.find((word) => word.toLowerCase() === chosen)
    if (word === undefined) throw new Fault(`is not known: write ${write}.`)
    return word
  })
}

/** A text that `parse` takes; `parse` throws a {@link Fault} that says what is wrong with it. */
export function parsed<T>(
  is: (About & { write: string; required: true }) | (About & { write: string; fallback: unknown }),
  parse: (written: string) => T,
): Setting<T> {
  return setting(is, (written) => parse(text(written, is.write)))
}

/** A text that `parse` takes, and that may be left out. */
export function optional<T>(is: About & { write: string }, parse: (written: string) => T): Setting<T | undefined> {
  return setting(is, (written) => parse(text(written, is.write)))
}

/** A list of texts; in the environment they are separated by commas. */
export function list<T>(
  is: About & { write: string; fallback?: readonly string[] },
  parse: (written: string) => T,
): Setting<readonly T[]> {
  return setting(
    {
      ...is,
      fallback: is.fallback ?? [],
      form: { type: 'array', items: { type: 'string' } },
    },
    (written) => {
      const texts = typeof written === 'string' ? written.split(',') : written
      if (!Array.isArray(texts)) throw new Fault(`must be a list: write ${is.write}.`)
      return parseEach(
        texts.map((one) => text(one, is.write)).filter((one) => one !== ''),
        parse,
      )
    },
  )
}

/** Parses all of `texts`, and throws one {@link Fault} with a sentence for each that is wrong. */
function parseEach<T>(texts: readonly string[], parse: (written: string) => T): T[] {
  const sentences = new Set<string>()
  const values = texts.flatMap((text) => {
    try {
      return [parse(text)]
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      for (const sentence of error.sentences) sentences.add(sentence)
      return []
    }
  })
  if (sentences.size > 0) throw new Fault(...sentences)
  return values
}

/** A secret: never in the file itself, but `{ env: NAME }` or `{ file: path }`. */
export function secret(is: About & { required: true; write?: string }): Setting<Secret>
export function secret(is: About): Setting<Secret | undefined>
export function secret(is: About): Setting<Secret | undefined> {
  const write =
    is.env === undefined
      ? '{ env: NAME } or { file: path }'
      : `it as it stands, or the path of a file that holds it in ${is.env}_FILE; ` +
        'in a settings file { env: NAME } or { file: path }'
  return { type: 'setting', write, secret: true, ...is, form: SECRET, read: readSecret }
}

const SECRET = {
  type: 'object',
  minProperties: 1,
  maxProperties: 1,
  additionalProperties: false,
  properties: { env: { type: 'string' }, file: { type: 'string' } },
}

/** `text` as it stands, once it matches `form`. */
export function matching(form: RegExp, wrong: string): (text: string) => string {
  return (text) => {
    if (!form.test(text)) throw new Fault(wrong)
    return text
  }
}

/** A path of a file that can be read now. */
export function readableFile(path: string): string {
  try {
    readFileSync(path)
  } catch (error) {
    throw new Fault(
      `names a file that cannot be read (${(error as NodeJS.ErrnoException).code}): ` +
        'mend the path or its permissions.',
    )
  }
  return path
}

function setting<T>(
  is: About & { write: string; fallback?: unknown; required?: true },
  read: Setting<T>['read'],
): Setting<T> {
  const { about, write, fallback, env, required, form, restart } = is
  return {
    type: 'setting',
    about,
    write,
    read,
    ...(fallback === undefined ? {} : { fallback }),
    ...(env === undefined ? {} : { env }),
    ...(required ? { required } : {}),
    ...(restart ? { restart } : {}),
    ...(form === undefined ? {} : { form }),
  }
}

function text(written: unknown, write: string): string {
  if (typeof written === 'number') return String(written)
  if (typeof written !== 'string') throw new Fault(`must be a text: write ${write}.`)
  return unquoted(written)
}
