import { unquoted } from './unquoted.ts'

/** A leftover of a template or a web page in a value. The description continues a sentence after "holds". */
interface Placeholder {
  readonly pattern: RegExp
  readonly description: string
}

/** Characters that look like a space, or are invisible. */
export const INVISIBLE = /[\u00A0\u00AD\u1680\u2000-\u200F\u2028-\u202F\u205F-\u2064\u3000\uFEFF]/

const CURLY = '\u2018-\u201F\u2039\u203A\u00AB\u00BB'
/** Nouns that templates put after "your". */
const NOUN =
  '(?:own|app|application|azure|client|company|credential|domain|dynamics|env|environment|host|id|instance' +
  '|key|name|org|organi[sz]ation|orgname|password|resource|secret|server|subdomain|tenant|token|url|value)'

/** Invalid anywhere in a value. In a secret, which may contain any characters, only as the complete value. */
const PLACEHOLDERS: readonly Placeholder[] = [
  { pattern: /\$\{[^{}]*\}|\$\([^()]*\)|\{\{[^{}]*\}\}/, description: 'an unfilled placeholder' },
  // Some pages show ids as GUIDs in braces.
  {
    pattern: /[#$]?\{(?![0-9a-f]{8}-)[a-z_][\w .-]*\}#?/i,
    description: 'an unfilled placeholder in braces',
  },
  { pattern: /<[a-z_][^<>]*>/i, description: 'a placeholder in angle brackets' },
  { pattern: /\[[a-z_][a-z_ -]*\]/i, description: 'a placeholder in square brackets' },
  {
    pattern: new RegExp(`(?<![a-z0-9_])your[-_ ]?${NOUN}(?![a-z])[\\w -]*`, 'i'),
    description: 'the words of a template',
  },
  { pattern: /(?<=\/\/)x{3,}(?=\.)|^x{3,}(?:-x+)*$/i, description: 'the x of a template' },
]

/** Invalid as the complete value. */
const COMPLETE_VALUES: readonly Placeholder[] = [
  { pattern: /^\$(?:env:)?[A-Z_][A-Z0-9_]*$/, description: 'the name of an unset variable' },
  { pattern: /^%[A-Z_][A-Z0-9_]*%$/i, description: 'the name of an unset variable' },
  { pattern: /^__\w+__$/, description: 'an unfilled placeholder' },
  { pattern: /^[\w -]*[-_ ]here$/i, description: 'the words of a template' },
  {
    pattern: /^(?:change[-_ ]?me|replace[-_ ]?(?:me|this)|placeholder|redacted|todo|tbd|fixme)$/i,
    description: 'a word of a template',
  },
  // The values of the examples in `config/`.
  { pattern: /^the-value-of-the-secret$/i, description: 'the words of the example' },
  { pattern: /^(?:undefined|null|\[object Object\])$/, description: 'what a script writes that found no value' },
  { pattern: /^[^*\u2022\u25CF]{0,8}[*\u2022\u25CF]{4,}$/, description: 'a value that a page has masked' },
  {
    pattern: /^@Microsoft\.KeyVault\(/i,
    description: 'a reference to a key vault that the platform could not resolve',
  },
]

/** Invalid in every value, because they are never intended. */
const TYPOGRAPHY: readonly Placeholder[] = [
  { pattern: INVISIBLE, description: 'a no-break space or another character that cannot be seen' },
  {
    pattern: new RegExp(`^[${CURLY}]|[${CURLY}]$`),
    description: 'curly quotes, made from straight ones by a word processor',
  },
]

/** Describes a leftover of a template or a page in `text`; `undefined` without one. */
export function placeholderIn(text: string): string | undefined {
  return placeholderOf(text, [...COMPLETE_VALUES, ...PLACEHOLDERS])
}

/** The same for a secret, in which any part may be intended. */
export function placeholderInSecret(text: string): string | undefined {
  return placeholderOf(text, [...COMPLETE_VALUES, ...COMPLETE_PLACEHOLDERS])
}

const COMPLETE_PLACEHOLDERS = PLACEHOLDERS.map(({ pattern, description }) => ({
  pattern: new RegExp(`^(?:${pattern.source})$`, pattern.flags),
  description,
}))

function placeholderOf(text: string, placeholders: readonly Placeholder[]): string | undefined {
  const value = unquoted(text)
  const found =
    TYPOGRAPHY.find(({ pattern }) => pattern.test(text) || pattern.test(value)) ??
    placeholders.find(({ pattern }) => pattern.test(value))
  return found?.description
}
