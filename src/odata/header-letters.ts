/**
 * The letters and digits of a header's name, in lower case. Servers disagree about `-`, `_`, `.` and other characters in
 * names, so names that differ only by those count as one where somebody is named.
 *
 * @param name in any letter case
 */
export function headerLetters(name: string): string {
  return name.toLowerCase().replace(/[^a-z\d]/g, '')
}
