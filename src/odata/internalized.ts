/**
 * `text` as V8 stores the names of properties: a string that exists once, and is not a part of a longer one. V8
 * compares it with a constant by its address, and need not look it up when it is used as the name of a property. Only
 * for texts that are cached, because the conversion itself is such a lookup.
 */
export function internalized(text: string): string {
  // An object without a prototype is a dictionary. For any other object V8 creates a hidden class for each name, and
  // callers choose the names: that takes ten times as long, and memory until the next full collection.
  const names = Object.create(null) as Record<string, undefined>
  names[text] = undefined
  return Object.keys(names)[0]!
}
