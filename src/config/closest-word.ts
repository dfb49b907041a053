/**
 * The most similar word of `known`, or `undefined` when none is similar enough.
 *
 * @param most letters that may differ; default: a third of the word
 * @param shown what is returned for each word of `known`, in the same order; default: the word itself
 */
export function closestWord(
  word: string,
  known: readonly string[],
  most = Math.max(1, Math.floor(word.length / 3)),
  shown = known,
): string | undefined {
  let best: string | undefined
  let least = most + 1
  for (const [index, one] of known.entries()) {
    const distance = editDistance(word.toLowerCase(), one.toLowerCase())
    if (distance < least) [best, least] = [shown[index], distance]
  }
  return best
}

/**
 * The number of insertions, deletions, substitutions and adjacent swaps that turn `a` into `b` (optimal
 * string alignment distance).
 */
function editDistance(a: string, b: string): number {
  let [before, row]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, index) => index)]
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? before[j - 2]! + 1 : Infinity
      next.push(Math.min(change, swap, row[j]! + 1, next[j - 1]! + 1))
    }
    ;[before, row] = [row, next]
  }
  return row[b.length]!
}
