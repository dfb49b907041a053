/**
 * `text` as V8 keeps the names of properties: a string of its own. Comparing it with a constant takes no look at its
 * letters, and using it as a name no search. For texts that are cached, because making it takes as long as a search.
 */
export function internalized(text: string): string {
  // Without a prototype it is a dictionary. Of other objects V8 makes a kind for each name, and callers choose names:
  // that takes ten times as long, and memory until the next full collection.
  const names = Object.create(null) as Record<string, undefined>
  names[text] = undefined
  return Object.keys(names)[0]!
}
