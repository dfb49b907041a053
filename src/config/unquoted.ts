/**
 * `text` without surrounding white space and quotes, which come from shells and `.env` files and are never
 * intended.
 */
export function unquoted(text: string): string {
  return text.trim().replace(/^(["'])(.*)\1$/s, '$2')
}
