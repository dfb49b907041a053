/**
 * Makes the function that tells whether a thing that shows again and again is due to be told, once in `milliseconds`
 * for each key. Others may choose the keys: not many are remembered.
 */
export function onceIn(milliseconds: number): (key: string) => boolean {
  const told = new Map<string, number>()
  return (key) => {
    const now = performance.now()
    if (now - (told.get(key) ?? -Infinity) < milliseconds) return false
    if (told.size >= REMEMBERED) told.clear()
    told.set(key, now)
    return true
  }
}

const REMEMBERED = 100
