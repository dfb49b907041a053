/**
 * `text` without the white space and quotes around it, which come from shells and `.env` files, never from people
 * who mean them.
 */
export function unquoted(text: string): string {
  return text.trim().replace(/^(["'])(.*)\1$/s, '$2')
}
