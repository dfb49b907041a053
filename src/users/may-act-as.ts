import type { Policy } from '../config/callers.ts'

/**
 * Whether a caller may name the user with this e-mail address.
 *
 * @param policy its `users`: `*`, addresses, or `@domain`
 * @param email with exactly one `@`; any other is nobody's
 */
export function mayActAs({ users }: Pick<Policy, 'users'>, email: string): boolean {
  const at = email.indexOf('@')
  if (at < 1 || at !== email.lastIndexOf('@') || /\s/.test(email)) return false
  if (users.includes('*')) return true
  // Small letters of other alphabets may turn into ASCII ones: the Kelvin sign becomes a k.
  const folded = /^[\x21-\x7e]+$/.test(email) ? email.toLowerCase() : email
  return users.some((user) => user === folded || (user.startsWith('@') && user === folded.slice(at)))
}
