/**
 * The letters and digits of a header's name, in lower case. Servers disagree about `-`, `_`, `.` and others in
 * names, so names that differ only by those count as one if they name a user or caller.
 *
 * @param name in any letter case
 */
export function headerLetters(name: string): string {
  return name.toLowerCase().replace(/[^a-z\d]/g, '')
}
