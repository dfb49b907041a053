/** One variable: its name, then its value in quotes of one kind, or up to the end of the line or a ` #`. */
const VARIABLE = /^[ \t]*(?:export[ \t]+)?([a-z_][\w.-]*)[ \t]*=[ \t]*(?:'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|`([^`]*)`|([^\r\n]*?))(?:[ \t]+#[^\r\n]*)?[ \t]*\r?$/gim

/**
 * Reads a `.env` file as Docker Compose does: `NAME=value`, `export NAME=value`, values in quotes, over several
 * lines too, comments. Node's own `parseEnv` takes what is commented out for set in older releases, and cuts
 * values at any `#`.
 */
export function parseDotEnv(text: string): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const [, name, single, double, backquoted, plain] of text.replace(/^\uFEFF/, '').matchAll(VARIABLE)) {
    variables[name!] = single
      ?? double?.replace(/\\([nr"])/g, (_, letter: string) => ({ n: '\n', r: '\r' })[letter] ?? letter)
      ?? backquoted ?? plain!
  }
  return variables
}
