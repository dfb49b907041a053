import { INVISIBLE } from './placeholders.ts'

/** The content of a `.env` file. */
export interface DotEnv {
  readonly variables: Readonly<Record<string, string>>
  /** The line of each variable, by its name, counting from 1. */
  readonly lines: ReadonlyMap<string, number>
  /** Variables whose value ends at a ` #` without quotes, so that the rest of the line is a comment. */
  readonly cut: ReadonlySet<string>
  /** Invalid lines, and lines that contradict another, as parts of sentences: `line 3 is …`. */
  readonly errors: readonly string[]
}

/**
 * One variable: its name, then its value in quotes, or up to the end of the line or a ` #`. As in Docker
 * Compose, a colon may replace the equals sign.
 */
const VARIABLE =
  /[ \t]*(?:export[ \t]+)?([a-z_][\w.-]*)[ \t]*[=:][ \t]*(?:'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|`([^`]*)`|([^\r\n]*?))([ \t]+#[^\r\n]*)?[ \t]*\r?(?:\n|$)/iy
/** A line with only blanks or a comment. */
const BLANK_LINE = /[ \t]*(?:#[^\r\n]*)?\r?(?:\n|$)/y
const LINE = /[^\n]*(?:\n|$)/y

/**
 * Reads a `.env` file as Docker Compose does: `NAME=value`, `NAME: value`, `export NAME=value`, values in quotes
 * (also over several lines), comments. In older releases, Node's own `parseEnv` sets variables from comments, and cuts
 * values at any `#`. Any other line is an error: otherwise its variable would be missing silently. So is
 * a variable with two values, of which Docker Compose uses the last.
 */
export function readDotEnv(raw: string): DotEnv {
  const text = raw.replace(/^\uFEFF/, '')
  const variables: Record<string, string> = {}
  const lines = new Map<string, number>()
  const cut = new Set<string>()
  const unread: Unread[] = []
  let line = 1
  for (let at = 0; at < text.length;) {
    const [form, found] = next(text, at)
    if (form === VARIABLE) {
      const [, name = '', single, double, backquoted, plain = '', comment] = found
      const value =
        single ??
        double?.replace(/\\([nr"])/g, (_, letter: string) => ({ n: '\n', r: '\r' })[letter] ?? letter) ??
        backquoted ??
        plain
      if (lines.has(name) && variables[name] !== value) {
        unread.push({ line, why: `sets ${name} to another value than line ${lines.get(name)}: remove one of the two` })
      }
      variables[name] = value
      lines.set(name, line)
      cut.delete(name)
      if (plain !== '' && comment !== undefined) cut.add(name)
    } else if (form === LINE) {
      unread.push({ line, why: reasonFor(found[0]) })
    }
    line += found[0].split('\n').length - 1
    at += found[0].length
  }
  return { variables, lines, cut, errors: errorsOf(unread) }
}

interface Unread {
  readonly line: number
  readonly why: string
}

function next(text: string, at: number): readonly [RegExp, RegExpExecArray] {
  for (const form of [BLANK_LINE, VARIABLE]) {
    form.lastIndex = at
    const found = form.exec(text)
    if (found !== null) return [form, found]
  }
  LINE.lastIndex = at
  return [LINE, LINE.exec(text)!]
}

/** Why a line is not a variable. Never contains the line itself, which may be a secret. */
function reasonFor(line: string): string {
  if (INVISIBLE.test(line)) {
    return 'holds a no-break space or another character that cannot be seen: write the line again'
  }
  if (/^\s*(?:export\s+)?[a-z_][\w.-]*\s*$/i.test(line)) return 'names a variable without a value: write NAME=value'
  if (/^\s*(?:set|setx|let|var|const|declare|\$env:|-\s)/i.test(line)) {
    return 'is a line of a script or list: write NAME=value, with nothing before it'
  }
  return 'is not a variable: write NAME=value, or # before a comment; put a value of several lines into quotes'
}

/** One sentence for consecutive lines, such as those of a certificate without quotes. */
function errorsOf(unread: readonly Unread[]): string[] {
  const errors: string[] = []
  for (let index = 0; index < unread.length;) {
    const { line, why } = unread[index]!
    let last = index
    while (unread[last + 1]?.line === unread[last]!.line + 1 && unread[last + 1]?.why === why) last += 1
    errors.push(last === index ? `line ${line} ${why}.` : `each of the lines ${line} to ${unread[last]!.line} ${why}.`)
    index = last + 1
  }
  return errors
}
