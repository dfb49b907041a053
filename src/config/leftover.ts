import { unquoted } from './unquoted.ts'

/** What is left in a value of the template or page that it came from: a sentence's part behind "holds". */
interface Trace {
  readonly form: RegExp
  readonly what: string
}

/** Characters that look like a blank, or like nothing. */
export const INVISIBLE = /[\u00A0\u00AD\u1680\u2000-\u200F\u2028-\u202F\u205F-\u2064\u3000\uFEFF]/

const CURLY = '\u2018-\u201F\u2039\u203A\u00AB\u00BB'
/** Nouns that templates put behind "your". */
const NOUN =
  '(?:own|app|application|azure|client|company|credential|domain|dynamics|env|environment|host|id|instance' +
  '|key|name|org|organi[sz]ation|orgname|password|resource|secret|server|subdomain|tenant|token|url|value)'

/** Wrong wherever they stand in a value; in a secret, which may hold any characters, when they are all of it. */
const PLACEHOLDERS: readonly Trace[] = [
  { form: /\$\{[^{}]*\}|\$\([^()]*\)|\{\{[^{}]*\}\}/, what: 'a placeholder that nothing filled in' },
  // `{` and a GUID is how some pages show ids.
  { form: /[#$]?\{(?![0-9a-f]{8}-)[a-z_][\w .-]*\}#?/i, what: 'a placeholder in braces that nothing filled in' },
  { form: /<[a-z_][^<>]*>/i, what: 'a placeholder in angle brackets' },
  { form: /\[[a-z_][a-z_ -]*\]/i, what: 'a placeholder in square brackets' },
  { form: new RegExp(`(?<![a-z0-9_])your[-_ ]?${NOUN}(?![a-z])[\\w -]*`, 'i'), what: 'the words of a template' },
  { form: /(?<=\/\/)x{3,}(?=\.)|^x{3,}(?:-x+)*$/i, what: 'the x of a template' },
]

/** Wrong when they are the complete value. */
const VALUES: readonly Trace[] = [
  { form: /^\$(?:env:)?[A-Z_][A-Z0-9_]*$/, what: 'the name of a variable that nothing filled in' },
  { form: /^%[A-Z_][A-Z0-9_]*%$/i, what: 'the name of a variable that nothing filled in' },
  { form: /^__\w+__$/, what: 'a placeholder that nothing filled in' },
  { form: /^[\w -]*[-_ ]here$/i, what: 'the words of a template' },
  {
    form: /^(?:change[-_ ]?me|replace[-_ ]?(?:me|this)|placeholder|redacted|todo|tbd|fixme)$/i,
    what: 'a word of a template',
  },
  // What the examples beside the documentation hold.
  { form: /^the-value-of-the-secret$/i, what: 'the words of the example' },
  { form: /^(?:undefined|null|\[object Object\])$/, what: 'what a script writes that found no value' },
  { form: /^[^*\u2022\u25CF]{0,8}[*\u2022\u25CF]{4,}$/, what: 'a value that a page has masked' },
  { form: /^@Microsoft\.KeyVault\(/i, what: 'a reference to a key vault that the platform could not resolve' },
]

/** Wrong in every value, because nobody means them. */
const TYPOGRAPHY: readonly Trace[] = [
  { form: INVISIBLE, what: 'a no-break space or another character that cannot be seen' },
  { form: new RegExp(`^[${CURLY}]|[${CURLY}]$`), what: 'curly quotes, which a text program has made of straight ones' },
]

/** What in `text` was left over from a template or a page, or `undefined`. */
export function leftoverIn(text: string): string | undefined {
  return traceOf(text, [...VALUES, ...PLACEHOLDERS])
}

/** The same of a secret, for which any part may be meant. */
export function leftoverSecret(text: string): string | undefined {
  return traceOf(text, [...VALUES, ...WHOLE])
}

const WHOLE = PLACEHOLDERS.map(({ form, what }) => ({ form: new RegExp(`^(?:${form.source})$`, form.flags), what }))

function traceOf(text: string, traces: readonly Trace[]): string | undefined {
  const value = unquoted(text)
  const found =
    TYPOGRAPHY.find(({ form }) => form.test(text) || form.test(value)) ?? traces.find(({ form }) => form.test(value))
  return found?.what
}
